// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One product of a weight matrix with rows of activations on a Vulkan device, and what is wrong with it.
#pragma once

#include <cstdint>
#include <string>

#include "tests/contract/kernels/random_weights.h"
#include "tests/contract/kernels/vulkan_rig.h"

namespace loader::test {

/// Everything that matvec.comp and matmul.comp can be told.
struct VulkanProduct {
    vulkan::ShaderId shader = vulkan::ShaderId::Matvec;
    /// All but the type: for matvec tokens and rows of a workgroup, for matmul the four sizes of its tile,
    /// and for matrix units the three of theirs.
    std::vector<std::uint32_t> shape;
    std::uint32_t localSize = 32;
    quant::TensorType type = quant::TensorType::F32;
    Scales scales = Scales::Sensible;
    std::uint32_t rows = 1;
    std::uint32_t columns = 1;
    std::uint32_t tokens = 1;
    /// A gate in set 3; matvec only.
    bool pair = false;
    bool bias = false;
    bool accumulate = false;
    bool gather = false;
    std::uint32_t activation = LOADER_ACTIVATE_NONE;
    float scale = 1.0f;
    float softcap = 0.0f;
    /// Experts of each token, and 0 for none; matvec only. Slices of four of six experts are there.
    std::uint32_t used = 0;
    bool ownParts = false;

    bool isMatmul() const;
    /// Rounds weights and x.
    bool computesHalves() const;
    /// x has to be quantised before.
    bool isInt8() const;
    std::string describe() const;
};

/// Runs it and compares every value with double precision, and every other word with what was there before.
/// @return what is wrong, or nothing
std::string faultOf(VulkanRig& rig, const VulkanProduct& product, std::uint32_t seed);

/// The multiple that columns of a type come in.
std::uint32_t columnStep(quant::TensorType type);

}  // namespace loader::test
