// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Random but sensible file blocks of every weight type, for tests and the bench of the kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "core/engine/quant/tensor_type.h"

namespace loader::test {

/// What stands in the half precision scales of the blocks.
enum class Scales { Sensible, Zero, Largest, Denormal };

/// All types that may be weights.
std::vector<quant::TensorType> weightTypes();
bool hasHalfScales(quant::TensorType type);

/// Bytes of `count` values of whole blocks: random quants; scales of about 1/100, or as asked where the type
/// has half scales.
std::vector<std::byte> randomWeights(quant::TensorType type, std::size_t count, Scales scales,
                                     std::mt19937& random);

/// Overwrites the half precision scales of whole blocks with sensible ones.
void putSensibleScales(quant::TensorType type, std::vector<std::byte>& bytes, std::mt19937& random);

/// Normally distributed, a few values eight times as large.
std::vector<float> randomFloats(std::size_t count, std::mt19937& random);

}  // namespace loader::test
