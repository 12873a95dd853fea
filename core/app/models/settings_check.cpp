// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/models/settings_check.h"

#include <algorithm>

#include "core/engine/base/size_text.h"

namespace loader::app {
namespace {

/// Batches beyond this gain nothing and take memory.
constexpr std::uint32_t kUsefulBatch = 4096;
/// Smaller ones read the weights again for every few tokens of a prompt.
constexpr std::uint32_t kSlowBatch = 16;
/// Where no context is named, as in `load`.
constexpr std::uint32_t kUsualContext = 4096;
constexpr const char* kProcessor = "cpu";

class Check {
public:
    Check(const CheckedValues& values, const protocol::ModelFacts& facts, const CheckedMachine& machine)
        : m_values(values), m_facts(facts), m_machine(machine) {}

    std::vector<SettingFinding> run() {
        context();
        layers();
        batch();
        threads();
        mapping();
        backend();
        cacheType();
        memory();
        std::stable_sort(m_findings.begin(), m_findings.end(),
                         [](const auto& a, const auto& b) { return a.severity < b.severity; });
        return std::move(m_findings);
    }

private:
    Json value(std::string_view key) const {
        const auto found = m_values.find(key);
        if (found != m_values.end()) return found->second;
        const SettingSpec* setting = findSetting(key);
        return setting ? setting->defaultValue() : Json();
    }
    /// Values are checked before they come here; one of another type counts as its default.
    std::uint64_t number(std::string_view key) const {
        const Json found = value(key);
        if (found.is_number_unsigned()) return found.get<std::uint64_t>();
        if (found.is_number_integer())
            return static_cast<std::uint64_t>(std::max<std::int64_t>(found.get<std::int64_t>(), 0));
        return 0;
    }
    std::string text(std::string_view key) const {
        const Json found = value(key);
        return found.is_string() ? found.get<std::string>() : std::string();
    }
    bool flag(std::string_view key) const {
        const Json found = value(key);
        return found.is_boolean() && found.get<bool>();
    }

    void add(Severity severity, std::string_view key, std::string sentence, std::string remedy) {
        m_findings.push_back({severity, std::string(key),
                              value(key).dump(-1, ' ', false, Json::error_handler_t::replace),
                              std::move(sentence), std::move(remedy)});
    }

    std::uint32_t wantedContext() const {
        return static_cast<std::uint32_t>(
            std::min<std::uint64_t>(number(settings::kLoadContext), 0xFFFFFFFFu));
    }

    void context() {
        const std::uint32_t wanted = wantedContext();
        const std::uint32_t limit = m_facts.positionLimit;
        const std::uint32_t trained = m_facts.trainedContext;
        if (limit != 0 && wanted > limit) {
            add(Severity::Error, settings::kLoadContext,
                "The model has positions for " + std::to_string(limit) +
                    " tokens and cannot have a context of " + std::to_string(wanted) + ".",
                "Set load.context to " + std::to_string(limit) + " or less, or to 0.");
        } else if (trained != 0 && wanted > trained) {
            add(Severity::Warning, settings::kLoadContext,
                "The model was trained for " + std::to_string(trained) +
                    " tokens; beyond them answers get worse. " +
                    "The scaling of rotary positions (rope) that the file asks for is part of that number; "
                    "nothing "
                    "more is stretched here.",
                "Set load.context to " + std::to_string(trained) +
                    " or less, or take a file that was made for longer contexts.");
        }
    }

    bool hasGpu() const {
        return std::any_of(m_machine.backends.begin(), m_machine.backends.end(),
                           [](const CheckedBackend& backend) {
                               return backend.gpu && backend.refusal.empty() && !backend.devices.empty();
                           });
    }

    void layers() {
        const Json wanted = value(settings::kLoadGpuLayers);
        const auto blocks = static_cast<std::uint64_t>(m_facts.layers.size());
        const bool all = wanted.is_string() && wanted == "all";
        if (wanted.is_number() && number(settings::kLoadGpuLayers) > blocks + 1) {
            add(Severity::Warning, settings::kLoadGpuLayers,
                "The model has " + std::to_string(blocks) + " layers, " + std::to_string(blocks + 1) +
                    " with its output; a larger number asks for no more than all of them.",
                "Set load.gpu_layers to all.");
        }
        const bool some = all || (wanted.is_number() && number(settings::kLoadGpuLayers) > 0);
        if (some && !hasGpu()) {
            add(Severity::Warning, settings::kLoadGpuLayers,
                "No graphics device can be used on this machine; all layers run on the processor.",
                "See gguf backends for the reason, or set load.gpu_layers to auto.");
        }
    }

    void batch() {
        const std::uint64_t wanted = number(settings::kLoadBatch);
        const std::uint64_t context = wantedContext();
        if (context != 0 && wanted > context) {
            add(Severity::Note, settings::kLoadBatch,
                "No prompt is longer than the context of " + std::to_string(context) +
                    " tokens; the rest of a batch of " + std::to_string(wanted) + " is memory without a use.",
                "Set load.batch to " + std::to_string(context) + " or less.");
        } else if (wanted > kUsefulBatch) {
            add(Severity::Note, settings::kLoadBatch,
                "Batches beyond " + std::to_string(kUsefulBatch) +
                    " tokens are hardly faster and take memory.",
                "Set load.batch to 512, and measure with gguf bench before going beyond.");
        } else if (wanted != 0 && wanted < kSlowBatch) {
            add(Severity::Note, settings::kLoadBatch,
                "The weights are read again for every " + std::to_string(wanted) +
                    " tokens of a prompt, which is slow.",
                "Set load.batch to 512.");
        }
    }

    void threads() {
        const std::uint64_t wanted = number(settings::kLoadThreads);
        const std::string cores = std::to_string(m_machine.physicalCores);
        if (wanted > m_machine.logicalCores) {
            add(Severity::Warning, settings::kLoadThreads,
                "This machine runs " + std::to_string(m_machine.logicalCores) + " threads at once; " +
                    std::to_string(wanted) + " wait for each other.",
                "Set load.threads to " + cores + ", or to 0.");
        } else if (wanted > m_machine.physicalCores) {
            add(Severity::Note, settings::kLoadThreads,
                "This machine has " + cores +
                    " cores; two threads of one core share its arithmetic and are seldom faster.",
                "Set load.threads to " + cores + ", or measure both with gguf bench.");
        }
    }

    void mapping() {
        const bool mapped = flag(settings::kLoadMmap);
        if (mapped && m_facts.foreignByteOrder) {
            add(Severity::Note, settings::kLoadMmap,
                "The file has the byte order of other machines: it is read into memory and converted, not "
                "mapped.",
                "Nothing need be done; a file in this machine's byte order loads faster.");
        }
        const bool locks = flag(settings::kLoadMlock);
        if (!locks || !m_machine.lockable || *m_machine.lockable >= m_facts.weightBytes) return;
        add(Severity::Warning, settings::kLoadMlock,
            "The system lets a program keep " + sizeText(*m_machine.lockable) +
                " in memory; the weights have " + sizeText(m_facts.weightBytes) + ".",
            "Raise the limit (ulimit -l, or LimitMEMLOCK of the service), or set load.mlock to false.");
    }

    const CheckedBackend* known(const std::string& id) const {
        const auto found = std::find_if(m_machine.backends.begin(), m_machine.backends.end(),
                                        [&](const CheckedBackend& backend) { return backend.id == id; });
        return found == m_machine.backends.end() ? nullptr : &*found;
    }

    /// The back end whose plan speaks for the model: the one that is named, otherwise the last of the chain.
    std::string judged() const {
        const std::string wanted = text(settings::kLoadBackend);
        return wanted.empty() || wanted == "auto" ? kProcessor : wanted;
    }

    void backend() {
        const std::string wanted = text(settings::kLoadBackend);
        const bool automatic = wanted.empty() || wanted == "auto";
        const CheckedBackend* named = automatic ? nullptr : known(wanted);
        if (!automatic && !named) {
            std::string ids;
            for (const CheckedBackend& backend : m_machine.backends)
                ids += (ids.empty() ? "" : ", ") + backend.id;
            add(Severity::Error, settings::kLoadBackend, "There is no back end " + wanted + ".",
                "Set load.backend to auto or one of: " + ids + ".");
            return;
        }
        if (named && !named->refusal.empty()) {
            add(Severity::Error, settings::kLoadBackend,
                "The back end " + wanted + " cannot be used: " + named->refusal,
                "Set load.backend to auto, which takes the next one.");
        }
        device(named);
        const protocol::PlanFacts* plan = planOf(m_facts, judged());
        if (!plan || plan->unsupported.empty()) return;
        add(automatic ? Severity::Warning : Severity::Error, settings::kLoadBackend,
            "The back end " + plan->backend + " cannot run this model: " + plan->unsupported.front(),
            "Choose another back end (gguf backends), or another file of this model.");
    }

    void device(const CheckedBackend* named) {
        const std::string wanted = text(settings::kLoadDevice);
        if (wanted.empty()) return;
        if (!named) {
            add(Severity::Warning, settings::kLoadDevice,
                "A device is an id of one back end; with load.backend auto it may mean another one tomorrow.",
                "Set load.backend too, or leave load.device empty.");
            return;
        }
        if (std::find(named->devices.begin(), named->devices.end(), wanted) != named->devices.end()) return;
        std::string ids;
        for (const std::string& id : named->devices)
            ids += (ids.empty() ? "" : ", ") + id;
        add(Severity::Error, settings::kLoadDevice,
            "The back end " + named->id + " has no device " + wanted + ".",
            ids.empty() ? "Leave load.device empty."
                        : "Leave load.device empty, or set it to one of: " + ids + ".");
    }

    void cacheType() {
        const protocol::PlanFacts* plan = planOf(m_facts, judged());
        const bool wantsQ8 = text(settings::kLoadKv) == "q8_0";
        if (!wantsQ8 || !plan || !plan->unsupported.empty()) return;
        const auto bytesOf = [&](graph::KvType type) {
            const auto at = static_cast<std::size_t>(type);
            return at < plan->kvBytes.size() ? plan->kvBytes[at] : 0;
        };
        // A model without a cache has none of either type.
        if (bytesOf(graph::KvType::F16) == 0 || bytesOf(graph::KvType::Q8_0) != 0) return;
        add(Severity::Error, settings::kLoadKv,
            "The back end " + plan->backend + " keeps no q8_0 cache of this model.", "Set load.kv to f16.");
    }

    LoadSettings loadSettings() const {
        LoadSettings load;
        const std::uint32_t wanted = wantedContext();
        load.contextTokens = wanted != 0 ? wanted : automaticContext(m_facts, kUsualContext);
        load.batchTokens =
            static_cast<std::uint32_t>(std::clamp<std::uint64_t>(number(settings::kLoadBatch), 1, 65536));
        const std::uint64_t threads = number(settings::kLoadThreads);
        load.threads = threads != 0 ? static_cast<std::uint32_t>(std::min<std::uint64_t>(threads, 1024))
                                    : m_machine.physicalCores;
        load.kv = text(settings::kLoadKv) == "q8_0" ? graph::KvType::Q8_0 : graph::KvType::F16;
        load.useMmap = flag(settings::kLoadMmap);
        load.processor = judged();
        return load;
    }

    LayerWish wish() const {
        const Json wanted = value(settings::kLoadGpuLayers);
        if (wanted.is_number())
            return {false, static_cast<std::uint32_t>(
                               std::min<std::uint64_t>(number(settings::kLoadGpuLayers), 0xFFFFFFFFu))};
        return wanted == "all" ? LayerWish{false, 0xFFFFFFFFu} : LayerWish{true, 0};
    }

    void memory() {
        const LoadSettings load = loadSettings();
        const Verdict verdict = judge(m_facts, load, wish(), m_machine.situation, m_machine.margins);
        std::string remedy = "Choose a smaller model, or a file of it with smaller types.";
        if (verdict.longestContext > 0 && verdict.longestContext < load.contextTokens)
            remedy = "Set load.context to " + std::to_string(verdict.longestContext) +
                     " or less, or load.kv to q8_0.";
        if (!verdict.fits) add(Severity::Error, settings::kLoadContext, verdict.sentence, remedy);
        const std::uint64_t limit = number(settings::kLoadMemoryLimit) << 20;
        if (limit == 0 || verdict.estimate.total() <= limit) return;
        add(Severity::Error, settings::kLoadMemoryLimit,
            "The model needs " + sizeText(verdict.estimate.total()) + "; " + sizeText(limit) +
                " are allowed.",
            "Raise load.memory_limit, set it to 0, or lower load.context.");
    }

    const CheckedValues& m_values;
    const protocol::ModelFacts& m_facts;
    const CheckedMachine& m_machine;
    std::vector<SettingFinding> m_findings;
};

}  // namespace

const char* nameOf(Severity severity) {
    switch (severity) {
        case Severity::Error: return "error";
        case Severity::Warning: return "warning";
        case Severity::Note: break;
    }
    return "note";
}

std::vector<SettingFinding> checkSettings(const CheckedValues& values, const protocol::ModelFacts& facts,
                                          const CheckedMachine& machine) {
    return Check(values, facts, machine).run();
}

}  // namespace loader::app
