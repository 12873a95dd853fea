// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/lm-studio/fields.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/app/config/setting_list.h"

namespace loader::importers::lm_studio {
namespace {

namespace keys = app::settings;

/// A key of LM Studio; off is what a value that is not ticked means, as JSON.
struct FieldRule {
    KeyRule rule;
    std::string_view off = {};
};

Taken autoWhereFitted(const Json& value) {
    if (boolOf(value) == true) return Taken::set("auto", "It fits the layers itself");
    return Taken::ignore("It is off: the number of layers counts");
}

/// -1 is off there, 0 here.
Taken countOrOff(const Json& value) {
    const Json number = numberOf(value);
    if (number.is_number() && number.get<double>() < 0) return Taken::set(0, "Off");
    return Taken::set(value);
}

Taken oneLessThanOffIsOne(const Json& value) {
    const Json number = numberOf(value);
    if (number.is_number() && number.get<double>() <= 0) return Taken::set(1, "Off");
    return Taken::set(value);
}

constexpr std::string_view kAlways = "Attention is always computed in this way";
constexpr std::string_view kFileDecides = "The model's file says this itself";
constexpr std::string_view kMeasured = "Memory is measured before each load";
constexpr std::string_view kOneDevice = "The device is chosen by what works; see load.device";
constexpr std::string_view kNoDraft = "There is no drafting model yet";
constexpr std::string_view kNotOffered = "There is nothing of the kind here";
constexpr std::string_view kNoDocuments = "Documents cannot be added to chats yet";

constexpr std::array kFields = {
    FieldRule{{"llm.load.contextLength", keys::kLoadContext, contextOrTrained}},
    FieldRule{{"llm.load.llama.acceleration.offloadRatio", keys::kLoadGpuLayers, layersOfRatio}},
    FieldRule{{"llm.load.llama.autoFit", keys::kLoadGpuLayers, autoWhereFitted}},
    FieldRule{{"llm.load.llama.evalBatchSize", keys::kLoadBatch}},
    FieldRule{
        {"llm.load.llama.physicalBatchSize", {}, nullptr, "There is one size of a batch; see load.batch"}},
    FieldRule{{"llm.load.llama.cpuThreadPoolSize", keys::kLoadThreads, threadsOrAuto}},
    FieldRule{{"llm.prediction.llama.cpuThreads", keys::kLoadThreads, threadsOrAuto}},
    FieldRule{{"llm.load.llama.tryMmap", keys::kLoadMmap}},
    FieldRule{{"llm.load.llama.keepModelInMemory", keys::kLoadMlock}},
    FieldRule{{"llm.load.llama.flashAttention", {}, nullptr, kAlways}},
    FieldRule{{"llm.load.llama.kCacheQuantizationType", keys::kLoadKv, cacheTypeByName}, R"("f16")"},
    FieldRule{{"llm.load.llama.vCacheQuantizationType", keys::kLoadKv, cacheTypeByName}, R"("f16")"},
    FieldRule{
        {"llm.load.llama.useFp16ForKVCache", {}, nullptr, "The type of the cache is f16 unless it is set"}},
    FieldRule{{"llm.load.offloadKVCacheToGpu", {}, nullptr, "The cache lies where its layer lies"}},
    FieldRule{{"llm.load.numExperts", {}, nullptr, kFileDecides}},
    FieldRule{{"llm.load.numCpuExpertLayersRatio", {}, nullptr, kMeasured}},
    FieldRule{{"llm.load.maxExpertLayersOffload", {}, nullptr, kMeasured}},
    FieldRule{{"llm.load.numParallelSessions", {}, nullptr, kNoServer}},
    FieldRule{{"llm.load.useUnifiedKvCache", {}, nullptr, kNoServer}},
    FieldRule{{"llm.load.llama.ropeFrequencyBase", {}, nullptr, kFileDecides}},
    FieldRule{{"llm.load.llama.ropeFrequencyScale", {}, nullptr, kFileDecides}},
    FieldRule{{"llm.load.seed", keys::kSamplingSeed, seedOrRandom}, "-1"},
    FieldRule{{"load.gpuSplitConfig", {}, nullptr, kOneDevice}},
    FieldRule{{"load.gpuStrictVramCap", {}, nullptr, kMeasured}},
    FieldRule{{"llm.prediction.temperature", keys::kSamplingTemperature}},
    FieldRule{{"llm.prediction.topKSampling", keys::kSamplingTopK, countOrOff}},
    FieldRule{{"llm.prediction.topPSampling", keys::kSamplingTopP}, "1"},
    FieldRule{{"llm.prediction.minPSampling", keys::kSamplingMinP}, "0"},
    FieldRule{{"llm.prediction.repeatPenalty", keys::kSamplingRepeatPenalty, oneLessThanOffIsOne}, "1"},
    FieldRule{{"llm.prediction.llama.frequencyPenalty", keys::kSamplingFrequencyPenalty}, "0"},
    FieldRule{{"llm.prediction.llama.presencePenalty", keys::kSamplingPresencePenalty}, "0"},
    FieldRule{{"llm.prediction.llama.xtcProbability", keys::kSamplingXtcProbability}, "0"},
    FieldRule{{"llm.prediction.llama.xtcThreshold", keys::kSamplingXtcThreshold}, "0.1"},
    FieldRule{{"llm.prediction.llama.locallyTypicalSampling", keys::kSamplingTypicalP}, "1"},
    FieldRule{{"llm.prediction.llama.tailFreeSampling", {}, nullptr, kNotOffered}},
    FieldRule{{"llm.prediction.llama.logitBias", {}, nullptr, kNotOffered}},
    FieldRule{{"llm.prediction.logProbs", {}, nullptr, kNotOffered}},
    FieldRule{{"llm.prediction.maxPredictedTokens", keys::kAnswerMaxTokens, tokensOrUnlimited}, "0"},
    FieldRule{{"llm.prediction.stopStrings", keys::kAnswerStop}},
    FieldRule{{"llm.prediction.toolCallStopStrings", {}, nullptr, "The model's template decides"}},
    FieldRule{{"llm.prediction.systemPrompt", keys::kChatSystemPrompt}},
    FieldRule{{"llm.prediction.seed", keys::kSamplingSeed, seedOrRandom}, "-1"},
    FieldRule{{"llm.prediction.promptTemplate", {}, nullptr, "The template of the model's own file is used"}},
    FieldRule{{"llm.prediction.structured", {}, nullptr, "Answers of a fixed form are not offered yet"}},
    FieldRule{{"llm.prediction.tools", {}, nullptr, "There are no tools yet"}},
    FieldRule{{"llm.prediction.contextPrefill", {}, nullptr, kNotOffered}},
    FieldRule{{"llm.prediction.contextOverflowPolicy",
               {},
               nullptr,
               "A conversation that does not fit is never cut without asking"}},
};

/// Keys of which only the beginning counts.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kFamilies = {{
    {"llm.prediction.reasoning.", "The model's template decides"},
    {"llm.prediction.speculativeDecoding.", kNoDraft},
    {"llm.load.mlx.", "It is about models that are no GGUF files"},
    {"embedding.load.", "Models for embeddings have no settings of their own yet"},
    {"retrieval.", kNoDocuments},
    {"ext.virtualModel.", "The model's template decides"},
}};

const FieldRule* ruleOf(const std::string& name) {
    const auto found = std::find_if(kFields.begin(), kFields.end(),
                                    [&name](const FieldRule& field) { return field.rule.key == name; });
    return found == kFields.end() ? nullptr : &*found;
}

std::string nameOfField(const Json& field) {
    const auto key = field.is_object() ? field.find("key") : field.end();
    return field.is_object() && key != field.end() && key->is_string() ? key->get<std::string>()
                                                                       : std::string();
}

bool isTickable(const Json& value) {
    return value.is_object() && value.contains("checked") && value.contains("value");
}

/// Whether the list has this key and it counts.
bool has(const Json& fields, std::string_view name) {
    return std::any_of(fields.begin(), fields.end(), [name](const Json& field) {
        if (nameOfField(field) != name || !field.contains("value")) return false;
        const Json& value = field.at("value");
        return !isTickable(value) || boolOf(value.at("checked")) == true;
    });
}

/// Whether the key of an entry stands once more behind it.
bool standsAgain(const Json& fields, std::size_t place) {
    const std::string name = nameOfField(fields[place]);
    if (name.empty()) return false;
    return std::any_of(fields.begin() + static_cast<std::ptrdiff_t>(place) + 1, fields.end(),
                       [&name](const Json& later) { return nameOfField(later) == name; });
}

bool fitsItself(const Json& fields) {
    return std::any_of(fields.begin(), fields.end(), [](const Json& field) {
        return nameOfField(field) == "llm.load.llama.autoFit" && field.contains("value") &&
               boolOf(field.at("value")) == true;
    });
}

class FieldTaker {
public:
    FieldTaker(const KeyWalk& walk, const Json& fields, const app::SettingOwner& owner)
        : m_walk(walk),
          m_owner(owner),
          m_fits(fitsItself(fields)),
          m_hasKeyType(has(fields, "llm.load.llama.kCacheQuantizationType")) {}

    /// @param again whether the same key stands once more further down
    void take(const std::string& key, const Json& field, bool again) const {
        const std::string name = nameOfField(field);
        if (name.empty()) return m_walk.invalid(key, field, "It is no key with a value");
        for (const auto& [member, value] : field.items()) {
            const std::string place = key + "." + member;
            if (member == "value" && again) {
                m_walk.ignore(place, value, "This key stands more than once; the last one counts");
            } else if (member == "value") {
                takeValue(place, name, value);
            } else {
                m_walk.ignore(place, value, "It names the value beside it");
            }
        }
    }

private:
    void takeValue(const std::string& place, const std::string& name, const Json& value) const {
        if (m_fits && name == "llm.load.llama.acceleration.offloadRatio")
            return m_walk.ignore(place, value, "It fits the layers itself");
        if (m_hasKeyType && name == "llm.load.llama.vCacheQuantizationType")
            return m_walk.ignore(place, value,
                                 "Keys and values of the cache have one type; that of the keys counts");
        if (name == "llm.prediction.llama.mirostatSampling") return takeMirostat(place, value);
        const FieldRule* field = ruleOf(name);
        if (!field) return ignoreFamily(place, name, value);
        if (field->rule.target.empty()) return m_walk.ignore(place, value, field->rule.words);
        if (!isTickable(value)) return set(place, name, field->rule, value, value);
        for (const auto& [member, part] : value.items()) {
            const std::string below = place + "." + member;
            if (member == "value") {
                takeTicked(below, name, *field, value);
            } else {
                m_walk.ignore(below, part, "It says whether the value beside it counts");
            }
        }
    }

    void takeTicked(const std::string& place, const std::string& name, const FieldRule& field,
                    const Json& value) const {
        const Json& inner = value.at("value");
        if (boolOf(value.at("checked")) == true) return set(place, name, field.rule, inner, inner);
        if (field.off.empty()) return m_walk.ignore(place, inner, "It is switched off");
        const Json off = Json::parse(field.off);
        m_walk.set(place, m_owner, field.rule.target, Taken::set(off, name + " is switched off"), inner);
    }

    void set(const std::string& place, const std::string& name, const KeyRule& rule, const Json& value,
             const Json& original) const {
        if (hasLeavesBelow(value)) return m_walk.invalid(place, value, "It is one value, not a structure");
        Taken taken = rule.take ? rule.take(value) : sameMeaning(value, rule.target);
        // The place in the list says little; the key's own name does.
        if (taken.kind == Taken::Kind::Set)
            taken.words = taken.words.empty() ? name : name + ": " + taken.words;
        m_walk.set(place, m_owner, rule.target, taken, original);
    }

    void takeMirostat(const std::string& place, const Json& value) const {
        static constexpr std::array kMirostat = {
            KeyRule{"version", keys::kSamplingMirostat},
            KeyRule{"learningRate", keys::kSamplingMirostatEta},
            KeyRule{"targetEntropy", keys::kSamplingMirostatTau},
        };
        m_walk.object(kMirostat, place, value, m_owner);
    }

    void ignoreFamily(const std::string& place, const std::string& name, const Json& value) const {
        for (const auto& [begin, reason] : kFamilies)
            if (name.starts_with(begin)) return m_walk.ignore(place, value, reason);
        m_walk.unknown(place, value);
    }

    const KeyWalk& m_walk;
    const app::SettingOwner& m_owner;
    bool m_fits;
    bool m_hasKeyType;
};

}  // namespace

Taken layersOfRatio(const Json& value) {
    if (value.is_null()) return Taken::ignore(std::string(kNotSet));
    if (value == "max") return Taken::set("all");
    if (value == "off") return Taken::set(0);
    const Json number = numberOf(value);
    if (number.is_discarded()) return Taken::refuse("It is a share of the layers, max or off");
    const double ratio = number.get<double>();
    if (ratio < 0) return Taken::refuse("It is a share of the layers, max or off");
    if (ratio == 0) return Taken::set(0);
    if (ratio == 1) return Taken::set("all");
    if (ratio > 1) {
        if (ratio != std::floor(ratio)) return Taken::refuse("It is a share of the layers, max or off");
        return Taken::set(number, "A number of layers");
    }
    const std::string percent = std::to_string(std::lround(ratio * 100));
    return Taken::set("auto", percent +
                                  " % of the layers; how many that are is known only when the file is "
                                  "read, so what fits is measured");
}

void takeFields(const KeyWalk& walk, const std::string& key, const Json& fields,
                const app::SettingOwner& owner) {
    if (!fields.is_array()) return walk.invalid(key, fields, "It is a list of keys and values");
    if (fields.empty()) return walk.ignore(key, fields, kNotSet);
    const bool plain =
        std::none_of(fields.begin(), fields.end(), [](const Json& one) { return one.is_structured(); });
    if (plain) return walk.invalid(key, fields, "It is a list of keys and values");
    const FieldTaker taker(walk, fields, owner);
    for (std::size_t i = 0; i < fields.size(); ++i)
        taker.take(key + "[" + std::to_string(i) + "]", fields[i], standsAgain(fields, i));
}

}  // namespace loader::importers::lm_studio
