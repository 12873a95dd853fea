// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How fast one answer was while somebody used a model: figures and settings, never a word of prompt or
// answer.
#pragma once

#include "core/app/benchmark/measurement.h"

namespace loader::app {

struct UsageRecord {
    /// In seconds since 1970.
    std::int64_t time = 0;
    std::string version;
    ModelIdentity model;
    RunSettings settings;
    std::uint64_t promptTokens = 0;
    /// Of them, taken from the cache.
    std::uint64_t cachedTokens = 0;
    std::uint64_t tokens = 0;
    /// Of the answer, its first token left out; 0 where it had fewer than two.
    double tokensPerSecond = 0.0;
    double promptMs = 0.0;
    /// From the question to the first token; nothing where there was none.
    std::optional<double> firstTokenMs;
    /// By how much the process that runs the model had grown when it was loaded; 0 where unknown.
    std::uint64_t memoryBytes = 0;
    std::optional<double> gpuBusyPercent;
    /// Links of the chain that failed before this one.
    std::uint32_t failedLinks = 0;

    bool sameSettings(const UsageRecord& other) const {
        return model.sameModel(other.model) && settings == other.settings;
    }
};

Json usageJson(const UsageRecord& record);
/// @errors C501, D302 a newer schema
Result<UsageRecord> usageFromJson(const Json& json);

}  // namespace loader::app
