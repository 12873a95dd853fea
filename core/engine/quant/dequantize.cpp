// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/quant/dequantize.h"

#include <cstring>

#include "core/engine/quant/blocks.h"

namespace loader::quant {
namespace {

// Blocks are copied out and in, because data in a file may lie at any address.
template <class Block>
void dequantizeBlocks(const std::byte* in, float* out, std::size_t values) {
    const std::size_t blocks = values / Block::kValues;
    for (std::size_t i = 0; i < blocks; ++i) {
        Block block;
        std::memcpy(&block, in + i * sizeof(Block), sizeof(Block));
        dequantize(block, out + i * Block::kValues);
    }
}

template <class Block>
void swapBlocks(std::span<std::byte> data) {
    const std::size_t blocks = data.size() / sizeof(Block);
    for (std::size_t i = 0; i < blocks; ++i) {
        Block block;
        std::memcpy(&block, data.data() + i * sizeof(Block), sizeof(Block));
        swapByteOrder(block);
        std::memcpy(data.data() + i * sizeof(Block), &block, sizeof(Block));
    }
}

}  // namespace

void dequantizeRow(TensorType type, const std::byte* in, float* out, std::size_t values) {
    switch (type) {
#define LOADER_TENSOR_TYPE(name, number, values_, bytes, role) \
    case TensorType::name:                                     \
        dequantizeBlocks<Block##name>(in, out, values);        \
        return;
#include "core/engine/quant/types.inc"
    }
}

void swapBlockEndianness(TensorType type, std::span<std::byte> data) {
    switch (type) {
#define LOADER_TENSOR_TYPE(name, number, values, bytes, role) \
    case TensorType::name:                                    \
        swapBlocks<Block##name>(data);                        \
        return;
#include "core/engine/quant/types.inc"
    }
}

}  // namespace loader::quant
