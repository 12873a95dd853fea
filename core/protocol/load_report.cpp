// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/protocol/load_report.h"

#include <array>
#include <string_view>

namespace loader::protocol {

void applyEnvironment(LoadRequest& request, const std::string& backendVariable,
                      const std::string& gpuVariable) {
    if (!backendVariable.empty() && request.backend == "auto") {
        request.backend = backendVariable;
        request.overrides.push_back("GGUF_BACKEND=" + backendVariable + " chose the back end");
    }
    constexpr std::array<std::string_view, 4> kOff = {"0", "false", "no", "off"};
    for (const std::string_view off : kOff) {
        if (gpuVariable != off) continue;
        request.gpuLayers = {GpuLayers::Kind::Number, 0};
        request.overrides.push_back("GGUF_GPU_ENABLED=" + gpuVariable + " keeps the model off the GPU");
    }
}

Json LoadReport::toJson() const {
    Json json = Json::object();
    json["chosen"] = {{"backend", backend}, {"device", device}, {"gpu_layers", gpuLayers}};
    json["split_with"] = splitWith;
    json["steps"] = Json::array();
    for (const LoadStep& step : steps) {
        json["steps"].push_back({{"backend", step.backend},
                                 {"device", step.device},
                                 {"gpu_layers", step.gpuLayers},
                                 {"result", step.result},
                                 {"reason", step.reason}});
    }
    json["estimated_bytes"] = estimatedBytes;
    json["measured_bytes"] = measuredBytes;
    json["mlock"] = lockEffect;
    json["mmap"] = mapEffect;
    json["tier"] = tier;
    json["threads"] = threads;
    json["context"] = contextTokens;
    json["load_ms"] = loadMilliseconds;
    json["overrides"] = overrides;
    json["warnings"] = Json::array();
    for (const Error& warning : warnings)
        json["warnings"].push_back(
            {{"code", warning.name()}, {"message", warning.message()}, {"place", warning.place()}});
    return json;
}

}  // namespace loader::protocol
