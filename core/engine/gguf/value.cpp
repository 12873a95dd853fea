// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/value.h"

#include <array>
#include <charconv>

namespace loader::gguf {
namespace {

struct KindRow {
    std::string_view name;
    std::size_t bytes;
};

constexpr std::array<KindRow, kValueTypes> kKinds = {{{"u8", 1},
                                                      {"i8", 1},
                                                      {"u16", 2},
                                                      {"i16", 2},
                                                      {"u32", 4},
                                                      {"i32", 4},
                                                      {"f32", 4},
                                                      {"bool", 1},
                                                      {"text", 0},
                                                      {"array", 0},
                                                      {"u64", 8},
                                                      {"i64", 8},
                                                      {"f64", 8}}};

/// The shortest text that reads back as the same number; the same in every locale.
template <class T>
std::string printed(T value) {
    std::array<char, 64> buffer{};
    const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    return {buffer.data(), result.ptr};
}

}  // namespace

std::size_t valueBytes(ValueType type) {
    return kKinds[static_cast<std::size_t>(type)].bytes;
}

std::string_view valueTypeName(ValueType type) {
    return kKinds[static_cast<std::size_t>(type)].name;
}

std::string Scalar::toString() const {
    if (type == ValueType::Bool) return bits != 0 ? "yes" : "no";
    if (type == ValueType::F32) return printed(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    if (type == ValueType::F64) return printed(std::bit_cast<double>(bits));
    return isSigned() ? printed(std::bit_cast<std::int64_t>(bits)) : printed(bits);
}

}  // namespace loader::gguf
