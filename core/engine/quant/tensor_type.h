// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Names and block layouts of tensor types, and the one function that computes how many bytes a tensor has.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/engine/base/result.h"

namespace loader::quant {

/// The values are the numbers used in files.
enum class TensorType : std::uint32_t {
#define LOADER_TENSOR_TYPE(name, number, values, bytes, role) name = number,
#include "core/engine/quant/types.inc"
};

enum class TypeRole : std::uint8_t { Weight, Activation, Plain };

struct TypeInfo {
    TensorType type;
    std::string_view name;
    std::uint32_t blockValues;
    std::uint32_t blockBytes;
    TypeRole role;
};

/// All types, in the order of types.inc.
std::span<const TypeInfo> allTypes();
const TypeInfo& typeInfo(TensorType type);
inline std::string_view typeName(TensorType type) {
    return typeInfo(type).name;
}
/// The type with this number in files, or nothing.
std::optional<TensorType> typeFromNumber(std::uint32_t number);
/// The type with this name ("Q4_K"), in any case, or nothing.
std::optional<TensorType> typeFromName(std::string_view name);

/// A type number that some program once wrote and that cannot be read: its name and what to use instead.
struct RetiredType {
    std::uint32_t number;
    std::string_view name;
    std::string_view advice;
    /// Removed from the format (GG049); otherwise the private number of another program (GG048).
    bool removed;
};
std::optional<RetiredType> retiredType(std::uint32_t number);

/// Bytes of one row of `values` values. @return nothing where values is not a multiple of the block or the
/// size cannot be counted.
std::optional<std::uint64_t> rowBytes(TensorType type, std::uint64_t values);

/// The one size function for tensors of files: every step checked, capped at 2^63 - 1 bytes.
/// @shape dims: 1 to 4 numbers, the row length first
/// @errors GG044 not 1 to 4 dimensions, GG045 zero dimension, GG046 dimension that cannot be padded to 32
/// below 2^63,
///         GG047 2^63 elements or more, GG050 broken row, GG051 2^63 bytes or more, in this order;
///         place is left to the caller, name goes into the sentence
Result<std::uint64_t> checkedTensorBytes(TensorType type, std::span<const std::uint64_t> dims,
                                         std::string_view name);

}  // namespace loader::quant
