// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/import/importer_registry.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonObject>
#include <QPluginLoader>
#include <algorithm>
#include <exception>

#include "core/app/plugin_api/importer_plugin.h"

namespace loader::app {
namespace {

QString platformName() {
#if defined(Q_OS_WIN)
    return QStringLiteral("windows");
#elif defined(Q_OS_MACOS)
    return QStringLiteral("macos");
#else
    return QStringLiteral("linux");
#endif
}

/// Why metadata does not fit this program; empty where it does.
std::string judge(const QJsonObject& outer) {
    if (outer.isEmpty()) return "it is no plugin of this program";
    const QJsonObject inner = outer.value(QStringLiteral("MetaData")).toObject();
    const bool sameInterface =
        outer.value(QStringLiteral("IID")).toString() == QLatin1String(LOADER_IMPORTER_IID);
    const bool sameProgram =
        inner.value(QStringLiteral("applicationVersion")).toString() == QLatin1String(LOADER_VERSION_SHORT);
    if (!sameInterface || !sameProgram) return "it belongs to another version of this program";
    if (inner.value(QStringLiteral("id")).toString().isEmpty()) return "its description has no id";
    if (!inner.value(QStringLiteral("platforms")).toArray().contains(platformName()))
        return "it was not made for this system";
    return {};
}

/// An importer promises to throw nothing; one that breaks the promise is only its own fault.
template <class Function>
std::string faultOfCalling(const Function& function) {
    try {
        function();
        return {};
    } catch (const std::exception& failure) {
        return failure.what();
    }
}

}  // namespace

struct ImporterRegistry::Slot {
    std::unique_ptr<QPluginLoader> loader;
    std::unique_ptr<Importer> instance;
};

ImporterRegistry::ImporterRegistry(const std::string& folder) {
    const QDir directory(QString::fromStdString(folder));
    // The order of names, so that of two plugins with one id it is always the same that counts.
    for (const QFileInfo& entry : directory.entryInfoList(QDir::Files, QDir::Name))
        addPlugin(entry.absoluteFilePath().toStdString());
}

ImporterRegistry::~ImporterRegistry() = default;

std::string ImporterRegistry::defaultFolder() {
    const QDir program(QCoreApplication::applicationDirPath());
    return QDir::cleanPath(program.filePath(QStringLiteral("../lib/gguf-loader/importers"))).toStdString();
}

void ImporterRegistry::add(std::unique_ptr<Importer> importer) {
    ImporterFacts facts;
    facts.id = importer->id();
    facts.displayName = importer->displayName();
    for (ImporterFacts& other : m_facts) {
        if (other.id == facts.id && other.refusal.empty()) other.refusal = "another one of this name is used";
    }
    auto slot = std::make_unique<Slot>();
    slot->instance = std::move(importer);
    m_facts.push_back(std::move(facts));
    m_slots.push_back(std::move(slot));
}

void ImporterRegistry::addPlugin(const std::string& path) {
    const QFileInfo file(QString::fromStdString(path));
    auto slot = std::make_unique<Slot>();
    slot->loader = std::make_unique<QPluginLoader>(file.absoluteFilePath());
    const QJsonObject outer = slot->loader->metaData();
    const QJsonObject inner = outer.value(QStringLiteral("MetaData")).toObject();
    ImporterFacts facts;
    facts.path = path;
    facts.id = inner.value(QStringLiteral("id")).toString(file.completeBaseName()).toStdString();
    facts.displayName = inner.value(QStringLiteral("displayName")).toString().toStdString();
    facts.refusal = judge(outer);
    if (facts.refusal.empty() && file.permission(QFile::WriteOther))
        facts.refusal = "everybody may write to its file";
    const auto sameId = [&facts](const ImporterFacts& other) {
        return other.id == facts.id && other.refusal.empty();
    };
    if (facts.refusal.empty() && std::any_of(m_facts.begin(), m_facts.end(), sameId))
        facts.refusal = "there is another one of this name";
    m_facts.push_back(std::move(facts));
    m_slots.push_back(std::move(slot));
}

const Importer* ImporterRegistry::load(std::size_t index) {
    ImporterFacts& facts = m_facts[index];
    Slot& slot = *m_slots[index];
    if (!facts.refusal.empty()) return nullptr;
    if (slot.instance) return slot.instance.get();
    slot.loader->setLoadHints(QLibrary::ResolveAllSymbolsHint);
    QObject* root = slot.loader->instance();
    if (!root) {
        facts.refusal = slot.loader->errorString().toStdString();
        return nullptr;
    }
    auto* factory = qobject_cast<ImporterPlugin*>(root);
    if (!factory) {
        facts.refusal = "it belongs to another version of this program";
        return nullptr;
    }
    const std::string fault = faultOfCalling([&] { slot.instance = factory->create(); });
    if (!slot.instance) facts.refusal = fault.empty() ? "its factory made nothing" : fault;
    return slot.instance.get();
}

Result<const Importer*> ImporterRegistry::open(const std::string& id) {
    std::string reason;
    for (std::size_t i = 0; i < m_facts.size(); ++i) {
        if (m_facts[i].id != id) continue;
        if (const Importer* importer = load(i)) return importer;
        reason = m_facts[i].refusal;
    }
    const std::string place = reason.empty() ? std::string() : id + ": " + reason;
    return Error(Errc::C513, {id, knownIds()}, place);
}

std::string ImporterRegistry::knownIds() const {
    std::string ids;
    for (const ImporterFacts& facts : m_facts) {
        if (!facts.refusal.empty()) continue;
        ids += (ids.empty() ? "" : ", ") + facts.id;
    }
    return ids;
}

Result<std::vector<FoundCandidate>> ImporterRegistry::findAll(const SearchRoots& roots, CancelToken cancel) {
    std::vector<FoundCandidate> found;
    for (std::size_t i = 0; i < m_facts.size(); ++i) {
        LOADER_CHECK(cancel.check());
        const Importer* importer = load(i);
        if (!importer) continue;
        const std::string fault = faultOfCalling([&] {
            for (Candidate& candidate : importer->findCandidates(roots))
                found.push_back({m_facts[i].id, m_facts[i].displayName, std::move(candidate)});
        });
        if (!fault.empty()) m_facts[i].refusal = fault;
    }
    return found;
}

Result<const Importer*> ImporterRegistry::recognise(const std::string& path) {
    const Importer* best = nullptr;
    Confidence surest = Confidence::No;
    for (std::size_t i = 0; i < m_facts.size(); ++i) {
        const Importer* importer = load(i);
        if (!importer) continue;
        Confidence confidence = Confidence::No;
        const std::string fault = faultOfCalling([&] { confidence = importer->check(path); });
        if (!fault.empty()) m_facts[i].refusal = fault;
        if (fault.empty() && confidence > surest) {
            surest = confidence;
            best = importer;
        }
    }
    if (!best) return Error(Errc::C514, {knownIds()}, path);
    return best;
}

}  // namespace loader::app
