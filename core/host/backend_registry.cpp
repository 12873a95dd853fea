// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/backend_registry.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonObject>
#include <QPluginLoader>
#include <algorithm>
#include <exception>

#include "backends/api/plugin.h"
#include "backends/cpu/exec/cpu_backend.h"

namespace loader::host {
namespace {

constexpr const char* kLinkedIn = "cpu";

QString platformName() {
#if defined(Q_OS_WIN)
    return QStringLiteral("windows");
#elif defined(Q_OS_MACOS)
    return QStringLiteral("macos");
#else
    return QStringLiteral("linux");
#endif
}

Error broken(const std::string& id, const std::string& reason, const std::string& path) {
    return Error(Errc::B707, {id, reason}, path);
}

/// A plugin promises to throw nothing; one that breaks the promise is only that back end's fault.
Result<std::unique_ptr<backend::Backend>> createBackend(backend::BackendPlugin& factory,
                                                        const std::string& id) {
    try {
        return factory.create();
    } catch (const std::exception& failure) {
        return Error(Errc::B703, {id, failure.what()});
    }
}

/// Metadata that fits this program, or why it does not.
std::optional<Error> judge(const QJsonObject& outer, const BackendFacts& facts) {
    if (outer.isEmpty()) return broken(facts.id, "it is no plugin of this program", facts.path);
    const QJsonObject inner = outer.value(QStringLiteral("MetaData")).toObject();
    const bool sameInterface =
        outer.value(QStringLiteral("IID")).toString() == QLatin1String(LOADER_BACKEND_IID);
    const bool sameApi = inner.value(QStringLiteral("apiVersion")).toInt(-1) == backend::kApiVersion;
    const bool sameProgram =
        inner.value(QStringLiteral("applicationVersion")).toString() == QLatin1String(LOADER_VERSION_SHORT);
    if (!sameInterface || !sameApi || !sameProgram) return Error(Errc::B706, {facts.id}, facts.path);
    if (inner.value(QStringLiteral("id")).toString().isEmpty())
        return broken(facts.id, "its description has no id", facts.path);
    if (!inner.value(QStringLiteral("platforms")).toArray().contains(platformName()))
        return broken(facts.id, "it was not made for this system", facts.path);
    return std::nullopt;
}

}  // namespace

std::string_view nameOf(BackendState state) {
    switch (state) {
        case BackendState::Found: return "found";
        case BackendState::Compatible: return "compatible";
        case BackendState::Loaded: return "loaded";
    }
    return {};
}

struct BackendRegistry::Slot {
    std::unique_ptr<QPluginLoader> loader;
    std::unique_ptr<backend::Backend> instance;
};

BackendRegistry::BackendRegistry(const std::string& folder) {
    addLinkedIn();
    const QDir directory(QString::fromStdString(folder));
    // The order of names, so that of two plugins with one id it is always the same that counts.
    for (const QFileInfo& entry : directory.entryInfoList(QDir::Files, QDir::Name))
        addPlugin(entry.absoluteFilePath().toStdString());
}

BackendRegistry::~BackendRegistry() = default;

std::string BackendRegistry::defaultFolder() {
    const QDir program(QCoreApplication::applicationDirPath());
    return QDir::cleanPath(program.filePath(QStringLiteral("../lib/gguf-loader/backends"))).toStdString();
}

void BackendRegistry::addLinkedIn() {
    BackendFacts facts;
    facts.id = kLinkedIn;
    facts.displayName = "Processor";
    facts.automatic = true;
    facts.state = BackendState::Loaded;
    auto slot = std::make_unique<Slot>();
    slot->instance = std::make_unique<cpu::CpuBackend>();
    m_facts.push_back(std::move(facts));
    m_slots.push_back(std::move(slot));
}

void BackendRegistry::addPlugin(const std::string& path) {
    const QFileInfo file(QString::fromStdString(path));
    auto slot = std::make_unique<Slot>();
    slot->loader = std::make_unique<QPluginLoader>(file.absoluteFilePath());
    const QJsonObject outer = slot->loader->metaData();
    const QJsonObject inner = outer.value(QStringLiteral("MetaData")).toObject();

    BackendFacts facts;
    facts.path = path;
    facts.id = inner.value(QStringLiteral("id")).toString(file.completeBaseName()).toStdString();
    facts.displayName = inner.value(QStringLiteral("displayName")).toString().toStdString();
    facts.priority = inner.value(QStringLiteral("priority")).toInt();
    facts.automatic = inner.value(QStringLiteral("automatic")).toBool(false);
    const QJsonArray devices = inner.value(QStringLiteral("devices")).toArray();
    facts.gpuOnly = devices.size() == 1 && devices.first().toString() == QLatin1String("gpu");
    facts.refusal = judge(outer, facts);
    if (!facts.refusal && file.permission(QFile::WriteOther))
        facts.refusal = broken(facts.id, "everybody may write to its file", path);
    const auto sameId = [&facts](const BackendFacts& other) {
        return other.id == facts.id && !other.refusal;
    };
    const auto earlier = std::find_if(m_facts.begin(), m_facts.end(), sameId);
    if (earlier != m_facts.end()) {
        // The processor's back end is linked in as well as installed: one row is enough for it.
        if (earlier->path.empty()) return;
        facts.refusal = broken(facts.id, "there is another back end of this name", path);
    }
    if (!facts.refusal) facts.state = BackendState::Compatible;
    m_facts.push_back(std::move(facts));
    m_slots.push_back(std::move(slot));
}

Result<backend::Backend*> BackendRegistry::open(const std::string& id) {
    const auto named = [&id](const BackendFacts& facts) { return facts.id == id; };
    const auto usable = [&id](const BackendFacts& facts) { return facts.id == id && !facts.refusal; };
    auto found = std::find_if(m_facts.begin(), m_facts.end(), usable);
    if (found == m_facts.end()) found = std::find_if(m_facts.begin(), m_facts.end(), named);
    if (found == m_facts.end()) return Error(Errc::B701, {id, knownIds()});
    if (found->refusal) return *found->refusal;
    Slot& slot = *m_slots[static_cast<std::size_t>(found - m_facts.begin())];
    if (slot.instance) return slot.instance.get();

    slot.loader->setLoadHints(QLibrary::ResolveAllSymbolsHint);
    QObject* root = slot.loader->instance();
    if (!root) {
        found->refusal = broken(id, slot.loader->errorString().toStdString(), found->path);
    } else {
        auto* factory = qobject_cast<backend::BackendPlugin*>(root);
        if (!factory) found->refusal = Error(Errc::B706, {id}, found->path);
        if (factory) {
            auto created = createBackend(*factory, id);
            if (!created.ok()) return std::move(created).error();
            slot.instance = std::move(created).value();
            if (!slot.instance) found->refusal = broken(id, "its factory made nothing", found->path);
        }
    }
    if (found->refusal) {
        found->state = BackendState::Found;
        return *found->refusal;
    }
    found->state = BackendState::Loaded;
    return slot.instance.get();
}

std::vector<std::string> BackendRegistry::automaticOrder() const {
    std::vector<const BackendFacts*> chosen;
    for (const BackendFacts& facts : m_facts) {
        if (facts.automatic && !facts.refusal && !facts.path.empty()) chosen.push_back(&facts);
    }
    std::stable_sort(chosen.begin(), chosen.end(),
                     [](const BackendFacts* a, const BackendFacts* b) { return a->priority > b->priority; });
    std::vector<std::string> ids;
    ids.reserve(chosen.size() + 1);
    for (const BackendFacts* facts : chosen)
        ids.push_back(facts->id);
    ids.emplace_back(kLinkedIn);
    return ids;
}

bool BackendRegistry::isGpuOnly(const std::string& id) const {
    return std::any_of(m_facts.begin(), m_facts.end(),
                       [&id](const BackendFacts& facts) { return facts.id == id && facts.gpuOnly; });
}

std::string BackendRegistry::knownIds() const {
    std::string ids;
    for (const BackendFacts& facts : m_facts) {
        if (facts.refusal) continue;
        if (!ids.empty()) ids += ", ";
        ids += facts.id;
    }
    return ids;
}

}  // namespace loader::host
