// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What making pipelines adds to the start of a model on a device: loads MODEL, computes one token, and prints
// the times as JSON. The first run with an empty CACHE_FOLDER is the cold one, every later one is warm.
//   bench_vulkan_load MODEL CACHE_FOLDER [CONTEXT]

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "backends/vulkan/vulkan_backend.h"
#include "tests/support/model_harness.h"

int main(int argc, char** argv) {
    using namespace loader;
    using Clock = std::chrono::steady_clock;
    if (argc < 3) {
        std::fprintf(stderr, "usage: bench_vulkan_load MODEL CACHE_FOLDER [CONTEXT]\n");
        return 2;
    }
    vulkan::VulkanSettings settings;
    vulkan::LoadTimes times;
    settings.cacheFolder = argv[2];
    settings.observer = [&times](const vulkan::LoadTimes& told) { times = told; };
    vulkan::VulkanBackend backend(std::move(settings));
    backend::LoadOptions options;
    options.contextTokens = argc > 3 ? static_cast<std::uint32_t>(std::atoi(argv[3])) : 512;

    const auto since = [](Clock::time_point began) {
        return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
    };
    const auto began = Clock::now();
    auto model = test::ModelHarness::load(argv[1], backend, options);
    if (!model.ok()) {
        std::fprintf(stderr, "%s\n", model.error().toString().c_str());
        return 1;
    }
    const double loaded = since(began);
    const TokenId token = 1;
    const auto logits = (*model)->logits({&token, 1}, false);
    if (!logits.ok()) {
        std::fprintf(stderr, "%s\n", logits.error().toString().c_str());
        return 1;
    }
    std::printf(
        "{\"pipelines\":%zu,\"pipelines_ms\":%.1f,\"weights_ms\":%.1f,\"waited_ms\":%.1f,\"loaded_ms\":%.1f,"
        "\"first_token_ms\":%.1f}\n",
        times.pipelines, times.pipelinesMs, times.weightsMs, times.waitedMs, loaded, since(began));
    return 0;
}
