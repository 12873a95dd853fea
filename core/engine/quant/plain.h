// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Types of one value per block: floats of four widths, and integers. Conversion rounds to nearest, as IEEE
// 754 has it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

struct BlockF32 {
    static constexpr std::size_t kValues = 1;
    float value;
};
inline void dequantize(const BlockF32& block, float* out) {
    *out = block.value;
}
inline void swapByteOrder(BlockF32& block) {
    swapField(block.value);
}

struct BlockF16 {
    static constexpr std::size_t kValues = 1;
    std::uint16_t value;
};
inline void dequantize(const BlockF16& block, float* out) {
    *out = halfToFloat(block.value);
}
inline void swapByteOrder(BlockF16& block) {
    swapField(block.value);
}

struct BlockBF16 {
    static constexpr std::size_t kValues = 1;
    std::uint16_t value;
};
inline void dequantize(const BlockBF16& block, float* out) {
    *out = bfloat16ToFloat(block.value);
}
inline void swapByteOrder(BlockBF16& block) {
    swapField(block.value);
}

struct BlockF64 {
    static constexpr std::size_t kValues = 1;
    double value;
};
inline void dequantize(const BlockF64& block, float* out) {
    *out = static_cast<float>(block.value);
}
inline void swapByteOrder(BlockF64& block) {
    swapField(block.value);
}

struct BlockI8 {
    static constexpr std::size_t kValues = 1;
    std::int8_t value;
};
inline void dequantize(const BlockI8& block, float* out) {
    *out = static_cast<float>(block.value);
}
inline void swapByteOrder(BlockI8&) {}

struct BlockI16 {
    static constexpr std::size_t kValues = 1;
    std::int16_t value;
};
inline void dequantize(const BlockI16& block, float* out) {
    *out = static_cast<float>(block.value);
}
inline void swapByteOrder(BlockI16& block) {
    swapField(block.value);
}

struct BlockI32 {
    static constexpr std::size_t kValues = 1;
    std::int32_t value;
};
inline void dequantize(const BlockI32& block, float* out) {
    *out = static_cast<float>(block.value);
}
inline void swapByteOrder(BlockI32& block) {
    swapField(block.value);
}

struct BlockI64 {
    static constexpr std::size_t kValues = 1;
    std::int64_t value;
};
inline void dequantize(const BlockI64& block, float* out) {
    *out = static_cast<float>(block.value);
}
inline void swapByteOrder(BlockI64& block) {
    swapField(block.value);
}

}  // namespace loader::quant
