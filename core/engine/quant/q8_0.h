// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q8_0, and the two types that activations take at run time: Q8_1 (carries scale × sum of quants) and Q8_K
// (sums of 16 quants each). All hold signed bytes; value = quant × scale.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

struct BlockQ8_0 {
    static constexpr std::size_t kValues = 32;
    std::uint16_t scale;  ///< half precision
    std::int8_t quants[32];
};

inline void dequantize(const BlockQ8_0& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int i = 0; i < 32; ++i)
        out[i] = static_cast<float>(block.quants[i]) * scale;
}

inline void swapByteOrder(BlockQ8_0& block) {
    swapField(block.scale);
}

struct BlockQ8_1 {
    static constexpr std::size_t kValues = 32;
    std::uint16_t scale;      ///< half precision
    std::uint16_t scaledSum;  ///< half precision: scale × sum of the quants
    std::int8_t quants[32];
};

inline void dequantize(const BlockQ8_1& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int i = 0; i < 32; ++i)
        out[i] = static_cast<float>(block.quants[i]) * scale;
}

inline void swapByteOrder(BlockQ8_1& block) {
    swapField(block.scale);
    swapField(block.scaledSum);
}

struct BlockQ8_K {
    static constexpr std::size_t kValues = 256;
    float scale;
    std::int8_t quants[256];
    std::int16_t sums[16];  ///< of quants 16 i … 16 i + 15
};

inline void dequantize(const BlockQ8_K& block, float* out) {
    for (int i = 0; i < 256; ++i)
        out[i] = static_cast<float>(block.quants[i]) * block.scale;
}

inline void swapByteOrder(BlockQ8_K& block) {
    swapField(block.scale);
    swapFields(block.sums);
}

}  // namespace loader::quant
