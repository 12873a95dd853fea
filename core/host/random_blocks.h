// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Random weights of any tensor type without knowing its layout: blocks are found by trial, and the bytes that
// may hold anything by changing them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/quant/tensor_type.h"

namespace loader::host {

/// Bytes that depend on the stream's number alone. @source philox4x32 of core/engine/base/random.h
/// @thread confined
class RandomBytes {
public:
    explicit RandomBytes(std::uint64_t stream) : m_stream(stream) {}
    std::byte next();

private:
    std::uint64_t m_stream;
    std::uint32_t m_count = 0;
    std::array<std::uint32_t, 4> m_block{};
    unsigned m_left = 0;
};

/// About normally distributed with deviation 1; a function of its arguments.
float randomFloat(std::uint64_t stream, std::uint64_t index);

/// @thread confined
class RandomBlocks {
public:
    /// @param size what the numbers are about as large as
    /// @errors X003 no usable block was found
    static Result<RandomBlocks> make(quant::TensorType type, float size);

    /// Rows of whole blocks with `values` numbers in all, each block different from the others.
    std::vector<std::byte> rows(std::size_t values, std::uint64_t stream) const;

private:
    /// A usable block, and which of its bytes may be changed without making it unusable.
    struct Pattern {
        std::vector<std::byte> block;
        std::vector<bool> free;
    };
    RandomBlocks(const quant::TypeInfo& info, float size) : m_info(&info), m_size(size) {}
    Status findPattern(RandomBytes& random);
    void findFreeBytes(Pattern& pattern, RandomBytes& random) const;
    bool isUsable(std::span<const std::byte> block) const;

    const quant::TypeInfo* m_info;
    float m_size;
    std::vector<Pattern> m_patterns;
};

}  // namespace loader::host
