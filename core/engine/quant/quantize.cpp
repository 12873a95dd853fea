// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/quant/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "core/engine/base/half.h"
#include "core/engine/quant/blocks.h"
#include "core/engine/quant/k_quantize.h"

namespace loader::quant {
namespace {

void quantize(const float* in, BlockF32& block) {
    block.value = *in;
}
void quantize(const float* in, BlockF16& block) {
    block.value = floatToHalf(*in);
}
void quantize(const float* in, BlockBF16& block) {
    block.value = floatToBfloat16(*in);
}

/// 1 / scale, or 0 where that cannot be expressed: the values are then nothing beside the smallest scale.
float inverseOf(float scale) {
    const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
    return std::isfinite(inverse) ? inverse : 0.0f;
}

/// The value of the largest magnitude becomes −8, which only the negative side reaches.
void quantize(const float* in, BlockQ4_0& block) {
    float extreme = 0;
    for (int i = 0; i < 32; ++i) {
        if (std::abs(in[i]) > std::abs(extreme)) extreme = in[i];
    }
    const float scale = extreme / -8.0f;
    const float inverse = inverseOf(scale);
    block.scale = floatToHalf(scale);
    const auto quantOf = [inverse](float value) {
        return static_cast<unsigned>(std::min(15, static_cast<int>(value * inverse + 8.5f)));
    };
    for (int i = 0; i < 16; ++i)
        block.quants[i] = static_cast<std::uint8_t>(quantOf(in[i]) | (quantOf(in[i + 16]) << 4));
}

void quantize(const float* in, BlockQ8_0& block) {
    float largest = 0;
    for (int i = 0; i < 32; ++i)
        largest = std::max(largest, std::abs(in[i]));
    const float scale = largest / 127.0f;
    const float inverse = inverseOf(scale);
    block.scale = floatToHalf(scale);
    for (int i = 0; i < 32; ++i)
        block.quants[i] = static_cast<std::int8_t>(std::round(in[i] * inverse));
}

template <class Block>
bool scalesAreFinite(const Block& block) {
    bool finite = std::isfinite(halfToFloat(block.scale));
    if constexpr (requires { block.minimum; }) finite = finite && std::isfinite(halfToFloat(block.minimum));
    return finite;
}

template <class Block>
Status quantizeBlocks(const float* in, std::byte* out, std::size_t values) {
    for (std::size_t at = 0; at < values; at += Block::kValues, out += sizeof(Block)) {
        Block block;
        if constexpr (Block::kValues > 1) {
            for (std::size_t i = at; i < at + Block::kValues; ++i) {
                if (!std::isfinite(in[i])) {
                    return Error(Errc::X001,
                                 {"Value " + std::to_string(i) + " of a row is not a finite number."});
                }
            }
        }
        quantize(in + at, block);
        if constexpr (Block::kValues > 1) {
            if (!scalesAreFinite(block)) {
                return Error(Errc::X001, {"The values from " + std::to_string(at) +
                                          " of a row on are too large for their block type."});
            }
        }
        std::memcpy(out, &block, sizeof(Block));
    }
    return {};
}

}  // namespace

bool canQuantize(TensorType type) {
    switch (type) {
        case TensorType::F32:
        case TensorType::F16:
        case TensorType::BF16:
        case TensorType::Q4_0:
        case TensorType::Q8_0:
        case TensorType::Q4_K:
        case TensorType::Q6_K: return true;
        default: return false;
    }
}

Status quantizeRow(TensorType type, const float* in, std::byte* out, std::size_t values) {
    if (!rowBytes(type, values)) {
        return Error(Errc::X001,
                     {"A row of " + std::to_string(values) + " values is not a whole number of blocks of " +
                      std::to_string(typeInfo(type).blockValues) + "."});
    }
    switch (type) {
        case TensorType::F32: return quantizeBlocks<BlockF32>(in, out, values);
        case TensorType::F16: return quantizeBlocks<BlockF16>(in, out, values);
        case TensorType::BF16: return quantizeBlocks<BlockBF16>(in, out, values);
        case TensorType::Q4_0: return quantizeBlocks<BlockQ4_0>(in, out, values);
        case TensorType::Q8_0: return quantizeBlocks<BlockQ8_0>(in, out, values);
        case TensorType::Q4_K: return quantizeBlocks<BlockQ4_K>(in, out, values);
        case TensorType::Q6_K: return quantizeBlocks<BlockQ6_K>(in, out, values);
        default: break;
    }
    return Error(Errc::X004, {"Writing tensors of type " + std::string(typeName(type)),
                              "Choose F32, F16, BF16, Q8_0, Q6_K, Q4_K or Q4_0."});
}

}  // namespace loader::quant
