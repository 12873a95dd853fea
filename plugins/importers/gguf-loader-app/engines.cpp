// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/gguf-loader-app/engines.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "plugins/importers/gguf-loader-app/plan.h"
#include "plugins/importers/gguf-loader-app/values.h"

namespace loader::app::ggufloader {
namespace {

struct Name {
    std::string_view name;
    Engine engine;
};
constexpr std::array kNames = {
    Name{"", Engine::Auto},
    Name{"auto", Engine::Auto},
    Name{"ctransformers", Engine::Gpu},
    Name{"llama-cpp-python", Engine::Gpu},
    Name{"vulkan", Engine::Gpu},
    Name{"llamafile", Engine::Processor},
    Name{"cpu", Engine::Processor},
    Name{"transformers", Engine::Foreign},
};

std::string plainName(std::string_view name) {
    std::string plain;
    for (const char c : name) {
        const bool upper = c >= 'A' && c <= 'Z';
        plain += upper ? static_cast<char>(c - 'A' + 'a') : c == '_' ? '-' : c;
    }
    return plain;
}

/// What decides among entries, smallest first: not preferred, off, priority, place in the file.
using Order = std::tuple<bool, bool, double, std::size_t>;

double priorityOf(const Json& entry) {
    constexpr double kNone = 1e9;
    const auto number = readNumber(entry.value("priority", Json()));
    return number ? number->value.get<double>() : kNone;
}

bool isOn(const Json& entry) {
    const auto on = readBool(entry.value("enabled", Json(true)));
    return !on || on->value;
}

}  // namespace

Engine engineOf(std::string_view name) {
    const std::string plain = plainName(name);
    const auto found = std::find_if(kNames.begin(), kNames.end(),
                                    [&plain](const Name& known) { return known.name == plain; });
    return found == kNames.end() ? Engine::Unknown : found->engine;
}

std::vector<EngineEntry> rankedEntries(const Json& entries, std::string_view preferred) {
    struct Candidate {
        Order order;
        EngineEntry entry;
        bool on;
    };
    std::vector<Candidate> candidates;
    for (const auto& [name, value] : entries.items()) {
        if (!value.is_object()) continue;
        const bool on = isOn(value);
        const bool chosen = !preferred.empty() && plainName(name) == plainName(preferred);
        candidates.push_back(
            {{!chosen || !on, !on, priorityOf(value), candidates.size()}, {name, engineOf(name), 0}, on});
    }
    std::sort(candidates.begin(), candidates.end(),
              [](const Candidate& a, const Candidate& b) { return a.order < b.order; });
    std::vector<EngineEntry> ranked;
    int others = rank::kOtherEntry;
    bool first = true;
    for (Candidate& candidate : candidates) {
        const bool counts = candidate.entry.engine != Engine::Foreign;
        candidate.entry.rank = !candidate.on     ? rank::kDisabledEntry
                               : first && counts ? rank::kPreferredEntry
                                                 : std::max(others--, rank::kDisabledEntry + 1);
        first = first && !(counts && candidate.on);
        ranked.push_back(std::move(candidate.entry));
    }
    return ranked;
}

std::vector<std::string> backendsFor(const std::vector<std::string>& names) {
    bool gpu = false;
    bool processor = false;
    std::vector<std::string> backends;
    for (const std::string& name : names) {
        const Engine engine = engineOf(name);
        if (engine == Engine::Gpu && !gpu && !processor) backends.emplace_back("vulkan");
        gpu = gpu || engine == Engine::Gpu;
        processor = processor || engine == Engine::Processor;
    }
    if (gpu || processor) backends.emplace_back("cpu");
    return backends;
}

}  // namespace loader::app::ggufloader
