// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Facts of models that nobody has on this machine, for estimates.
#pragma once

#include "core/protocol/model_facts.h"

namespace loader::test {

inline constexpr std::uint64_t kMiB = 1ull << 20;
inline constexpr std::uint64_t kGiB = 1ull << 30;

struct MadeUpModel {
    std::uint32_t layers = 32;
    std::uint64_t layerBytes = 100 * kMiB;
    std::uint64_t embeddingBytes = 100 * kMiB;
    std::uint64_t headBytes = 100 * kMiB;
    std::uint32_t kvHeads = 8;
    std::uint32_t headLength = 128;
    std::uint32_t trainedContext = 131072;
};

/// Equal layers; plans of the processor "cpu" and of the device "vulkan" with buffers of usual size.
inline protocol::ModelFacts madeUpFacts(const MadeUpModel& model) {
    protocol::ModelFacts facts;
    facts.name = "made up";
    facts.mainType = "Q4_K";
    facts.width = 4096;
    facts.vocabulary = 32000;
    facts.trainedContext = model.trainedContext;
    facts.embeddingBytes = model.embeddingBytes;
    facts.headBytes = model.headBytes;
    facts.weightBytes = model.embeddingBytes + model.headBytes + model.layers * model.layerBytes;
    facts.headerBytes = kMiB;
    facts.fileBytes = facts.headerBytes + facts.weightBytes;
    facts.tensors = model.layers * 9 + 3;
    facts.words = {"llama", 32000, 200000, 0, true};
    facts.tokenBytes = facts.weightBytes - model.embeddingBytes;
    facts.products = model.layers * model.layerBytes * 2;
    facts.headProducts = 32000ull * 4096;
    facts.productKind = protocol::ProductKind::Int8;
    for (std::uint32_t i = 0; i < model.layers; ++i) {
        facts.layers.push_back(
            {model.layerBytes / 3, model.layerBytes - model.layerBytes / 3, 0, model.layerBytes});
        facts.kv.push_back({i, model.kvHeads, model.headLength, model.headLength, 0});
    }
    const std::uint64_t values = std::uint64_t{model.layers} * model.kvHeads * 2 * model.headLength;
    for (const char* backend : {"cpu", "vulkan"}) {
        protocol::PlanFacts plan;
        plan.backend = backend;
        plan.fixedBytes = kMiB;
        plan.itemBytes = 200 * 1024;
        plan.threadBytes = 700 * 1024;
        plan.outputBytes = facts.vocabulary * 4;
        plan.kvBytes = {values * 2, values / 32 * 34, values * 4};
        facts.plans.push_back(plan);
    }
    return facts;
}

}  // namespace loader::test
