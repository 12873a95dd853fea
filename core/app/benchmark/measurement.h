// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One benchmark of one model: what was measured, of what, with which settings, on which machine. It holds no
// text and nothing that names a user or a single machine. As JSON: docs/comparing.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/app/benchmark/statistics.h"
#include "core/app/hardware/adapter_facts.h"
#include "core/app/hardware/cpu_facts.h"
#include "core/app/storage/json_text.h"
#include "core/engine/base/memory_facts.h"
#include "core/protocol/load_report.h"

namespace loader::app {

/// The schema of measurements and of the lines of the history.
inline constexpr std::uint32_t kMeasurementSchema = 1;

/// Which file it was: moved or renamed it is still the same one.
struct ModelIdentity {
    /// Without its folder.
    std::string file;
    std::uint64_t bytes = 0;
    /// SHA-256 of the first and the last MiB, of a smaller file of all of it; in hexadecimal digits.
    std::string digest;

    /// The name does not count.
    bool sameModel(const ModelIdentity& other) const {
        return bytes == other.bytes && digest == other.digest;
    }
};
/// @errors F802 … F805
Result<ModelIdentity> identityOf(const std::string& path);
Json modelJson(const ModelIdentity& model);
Result<ModelIdentity> modelFromJson(const Json& json);

struct MachineIdentity {
    std::string processor;
    std::uint32_t cores = 0;
    std::uint32_t threads = 0;
    /// Rounded to a quarter of a GiB: a new kernel keeps a little more or less for itself.
    std::uint64_t memoryMib = 0;
    /// "NVIDIA 0x2206", in order.
    std::vector<std::string> adapters;
    bool operator==(const MachineIdentity&) const = default;
};
MachineIdentity machineOf(const CpuFacts& cpu, const MemoryFacts& memory,
                          const std::vector<AdapterFacts>& adapters);
/// Of the machine that this runs on; reads a few small files.
MachineIdentity thisMachine();

struct RunSettings {
    std::string backend;
    std::string device;
    /// Name and version; empty where the device has none.
    std::string driver;
    std::uint32_t threads = 0;
    std::uint32_t contextTokens = 0;
    std::uint32_t batchTokens = 0;
    std::string kv;
    std::uint32_t gpuLayers = 0;
    bool mmap = true;
    bool operator==(const RunSettings&) const = default;
};
/// What was asked for and what came of it; without the driver, of which a report tells nothing.
RunSettings settingsOf(const protocol::LoadRequest& request, const protocol::LoadReport& report);
Json settingsJson(const RunSettings& settings);
Result<RunSettings> settingsFromJson(const Json& json);

/// What was computed.
struct Workload {
    std::uint32_t promptTokens = 0;
    std::uint32_t generatedTokens = 0;
    /// Tokens in the cache when generation started.
    std::uint32_t depth = 0;
    bool keepsCache = true;
    bool operator==(const Workload&) const = default;
};

struct Measurement {
    /// In seconds since 1970.
    std::int64_t time = 0;
    std::string version;
    ModelIdentity model;
    MachineIdentity machine;
    RunSettings settings;
    Workload work;
    /// All samples. @unit tokens per second; milliseconds
    std::vector<double> prompt;
    std::vector<double> generation;
    std::vector<double> loadMs;
    /// From the start of a process to the first token of a 128-token prompt.
    std::vector<double> firstTokenMs;
    /// 0 where the system does not tell.
    std::uint64_t peakMemoryBytes = 0;
    /// How busy the graphics processor was on average; nothing where nobody can tell.
    std::optional<double> gpuBusyPercent;

    /// Of the same model, machine and work, whatever the settings.
    bool sameWork(const Measurement& other) const;
    bool sameSettings(const Measurement& other) const {
        return sameWork(other) && settings == other.settings;
    }
};

Json measurementJson(const Measurement& measurement);
/// Reads only what samples say; medians beside them are for people.
/// @errors C501 what is missing or no such thing, D302 a newer schema
Result<Measurement> measurementFromJson(const Json& json);

}  // namespace loader::app
