// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How a set of parts is packed into one fuzz input: opened part, number in the names, then each part behind
// its length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace loader::test {

inline constexpr std::size_t kMaxFuzzParts = 5;

struct SplitInput {
    std::size_t opened = 0;       // from 0
    std::uint32_t nameCount = 1;  // the N of "-of-N"
    std::vector<std::vector<std::byte>> parts;
};

inline SplitInput unpackSplit(std::span<const std::byte> bytes) {
    SplitInput input;
    if (bytes.size() < 2) return input;
    input.opened = std::to_integer<std::size_t>(bytes[0]) % kMaxFuzzParts;
    input.nameCount = std::to_integer<std::uint32_t>(bytes[1]) % 8 + 1;
    bytes = bytes.subspan(2);
    while (bytes.size() >= 2 && input.parts.size() < kMaxFuzzParts) {
        std::size_t length =
            std::to_integer<std::size_t>(bytes[0]) | (std::to_integer<std::size_t>(bytes[1]) << 8);
        bytes = bytes.subspan(2);
        if (length > bytes.size()) length = bytes.size();
        input.parts.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
        bytes = bytes.subspan(length);
    }
    return input;
}

inline std::vector<std::byte> packSplit(const SplitInput& input) {
    std::vector<std::byte> bytes = {std::byte(input.opened), std::byte(input.nameCount - 1)};
    for (const auto& part : input.parts) {
        bytes.push_back(std::byte(part.size() & 0xFF));
        bytes.push_back(std::byte(part.size() >> 8));
        bytes.insert(bytes.end(), part.begin(), part.end());
    }
    return bytes;
}

}  // namespace loader::test
