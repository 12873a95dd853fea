// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Measurements made by hand, and noise from a fixed seed, for tests of what is concluded from them.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "core/app/benchmark/measurement.h"
#include "core/app/benchmark/usage_record.h"

namespace loader::test {

/// The same numbers on every system, which the distributions of the standard library do not promise.
class Noise {
public:
    explicit Noise(std::uint64_t seed) : m_state(seed) {}
    /// In [0, 1). @source splitmix64, Steele, Lea & Flood 2014
    double uniform() {
        m_state += 0x9E3779B97F4A7C15ull;
        std::uint64_t mixed = m_state;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
        return static_cast<double>((mixed ^ (mixed >> 31)) >> 11) * 0x1.0p-53;
    }
    /// Mean 0, deviation 1. @source Box & Muller 1958
    double normal() {
        const double length = std::sqrt(-2.0 * std::log(1.0 - uniform()));
        return length * std::cos(6.283185307179586 * uniform());
    }
    double exponential() { return -std::log(1.0 - uniform()); }

private:
    std::uint64_t m_state;
};

inline app::ModelIdentity sampleModel(char digit = 'a', const std::string& file = "story.gguf") {
    return {file, 123456789, std::string(64, digit)};
}

inline app::RunSettings sampleSettings() {
    app::RunSettings settings;
    settings.backend = "cpu";
    settings.device = "cpu";
    settings.threads = 4;
    settings.contextTokens = 4096;
    settings.batchTokens = 512;
    settings.kv = "f16";
    return settings;
}

inline app::Measurement sampleMeasurement(double generation = 20.0) {
    app::Measurement measurement;
    measurement.time = 1'790'000'000;
    measurement.version = "0.3.0";
    measurement.model = sampleModel();
    measurement.machine = {"Some Processor 9000", 4, 8, 16384, {"AMD 0x73bf"}};
    measurement.settings = sampleSettings();
    measurement.work = {512, 64, 0, true};
    for (const double share : {1.0, 1.01, 0.99, 1.005, 0.995}) {
        measurement.prompt.push_back(20.0 * generation * share);
        measurement.generation.push_back(generation * share);
    }
    measurement.loadMs = {100.0, 101.0, 102.0, 99.0};
    measurement.firstTokenMs = {400.0, 402.0, 398.0};
    measurement.peakMemoryBytes = 1000u << 20;
    return measurement;
}

inline app::UsageRecord sampleUse(double speed = 20.0, std::int64_t time = 1'790'000'000) {
    app::UsageRecord record;
    record.time = time;
    record.version = "0.3.0";
    record.model = sampleModel();
    record.settings = sampleSettings();
    record.promptTokens = 100;
    record.cachedTokens = 40;
    record.tokens = 50;
    record.tokensPerSecond = speed;
    record.promptMs = 300.0;
    record.firstTokenMs = 350.0;
    record.memoryBytes = 900u << 20;
    return record;
}

}  // namespace loader::test
