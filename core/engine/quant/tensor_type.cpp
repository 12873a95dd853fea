// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/quant/tensor_type.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "core/engine/base/checked.h"

namespace loader::quant {
namespace {

constexpr TypeInfo kTypes[] = {
#define LOADER_TENSOR_TYPE(name, number, values, bytes, role) \
    {TensorType::name, #name, values, bytes, TypeRole::role},
#include "core/engine/quant/types.inc"
};

constexpr std::uint64_t kMaxSigned = std::numeric_limits<std::int64_t>::max();
/// Sizes are padded to at least this in files; a dimension that cannot be rounded up to it is out of range.
/// There is no lower limit on purpose: a huge dimension that can be counted fails on the size of the file,
/// with a better sentence.
constexpr std::uint64_t kPadding = 32;
constexpr std::size_t kMaxDimensions = 4;

constexpr std::string_view kAdviceRepack =
    "Use the Q4_0 file of this model; the program arranges it for the processor at run time.";
constexpr std::string_view kAdviceRepackIq4 =
    "Use the IQ4_NL file of this model; the program arranges it for the processor at run time.";
constexpr std::string_view kAdviceOldFormat = "Use a newer file of this model, for example Q4_0 or Q4_K_M.";
constexpr std::string_view kAdviceForeign =
    "Only the program that made this file can read it; use a Q4_K_M or IQ4_XS file of this model.";

constexpr RetiredType kRemoved[] = {
    {4, "Q4_2", kAdviceOldFormat, true},        {5, "Q4_3", kAdviceOldFormat, true},
    {31, "Q4_0_4_4", kAdviceRepack, true},      {32, "Q4_0_4_8", kAdviceRepack, true},
    {33, "Q4_0_8_8", kAdviceRepack, true},      {36, "IQ4_NL_4_4", kAdviceRepackIq4, true},
    {37, "IQ4_NL_4_8", kAdviceRepackIq4, true}, {38, "IQ4_NL_8_8", kAdviceRepackIq4, true},
};

/// Numbers that ik_llama.cpp gave to types of its own. (Its I2_S has the number 36 and is seen as the removed
/// type.)
constexpr RetiredType kForeign[] = {
    {97, "Q8_0_X4 (ik_llama.cpp)", kAdviceForeign, false},
    {133, "Q6_0 (ik_llama.cpp)", kAdviceForeign, false},
    {134, "IQ1_BN (ik_llama.cpp)", kAdviceForeign, false},
    {137, "IQ2_K (ik_llama.cpp)", kAdviceForeign, false},
    {144, "IQ4_KS (ik_llama.cpp)", kAdviceForeign, false},
    {151, "Q8_KV (ik_llama.cpp)", kAdviceForeign, false},
    {153, "IQ2_KT (ik_llama.cpp)", kAdviceForeign, false},
    {202, "Q4_0_R8 (ik_llama.cpp)", kAdviceForeign, false},
    {212, "Q4_K_R4 (ik_llama.cpp)", kAdviceForeign, false},
    {397, "Q8_K_R16 (ik_llama.cpp)", kAdviceForeign, false},
};

/// Ranges in which that program numbers its types.
struct NumberRange {
    std::uint32_t first;
    std::uint32_t last;
};
constexpr NumberRange kForeignRanges[] = {{97, 99}, {133, 160}, {202, 399}};
constexpr std::string_view kForeignName = "a private type of ik_llama.cpp";

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool equalIgnoringCase(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return upper(x) == upper(y); });
}

/// The number of elements. @errors GG044, GG045, GG046, GG047
Result<std::uint64_t> countElements(std::span<const std::uint64_t> dims, std::string_view name) {
    if (dims.empty() || dims.size() > kMaxDimensions) {
        return Error(Errc::GG044, {std::string(name), std::to_string(dims.size())});
    }
    for (const std::uint64_t dim : dims) {
        if (dim == 0) return Error(Errc::GG045, {std::string(name)});
    }
    for (const std::uint64_t dim : dims) {
        const auto padded = checkedRoundUp<std::uint64_t>(dim, kPadding);
        if (!padded || *padded > kMaxSigned)
            return Error(Errc::GG046, {std::string(name), std::to_string(dim)});
    }
    std::uint64_t count = 1;
    for (const std::uint64_t dim : dims) {
        const auto product = checkedMul(count, dim);
        if (!product || *product > kMaxSigned) return Error(Errc::GG047, {std::string(name)});
        count = *product;
    }
    return count;
}

}  // namespace

std::span<const TypeInfo> allTypes() {
    return kTypes;
}

const TypeInfo& typeInfo(TensorType type) {
    for (const TypeInfo& info : kTypes) {
        if (info.type == type) return info;
    }
    // Only a cast from an unchecked number gets here; files go through typeFromNumber.
    assert(false && "a TensorType that is not in types.inc");
    return kTypes[0];
}

std::optional<TensorType> typeFromNumber(std::uint32_t number) {
    for (const TypeInfo& info : kTypes) {
        if (static_cast<std::uint32_t>(info.type) == number) return info.type;
    }
    return std::nullopt;
}

std::optional<TensorType> typeFromName(std::string_view name) {
    for (const TypeInfo& info : kTypes) {
        if (equalIgnoringCase(info.name, name)) return info.type;
    }
    return std::nullopt;
}

std::optional<RetiredType> retiredType(std::uint32_t number) {
    for (const RetiredType& type : kRemoved) {
        if (type.number == number) return type;
    }
    for (const RetiredType& type : kForeign) {
        if (type.number == number) return type;
    }
    for (const NumberRange& range : kForeignRanges) {
        if (number >= range.first && number <= range.last) {
            return RetiredType{number, kForeignName, kAdviceForeign, false};
        }
    }
    return std::nullopt;
}

std::optional<std::uint64_t> rowBytes(TensorType type, std::uint64_t values) {
    const TypeInfo& info = typeInfo(type);
    if (values % info.blockValues != 0) return std::nullopt;
    const auto bytes = checkedMul<std::uint64_t>(values / info.blockValues, info.blockBytes);
    if (!bytes || *bytes > kMaxSigned) return std::nullopt;
    return bytes;
}

Result<std::uint64_t> checkedTensorBytes(TensorType type, std::span<const std::uint64_t> dims,
                                         std::string_view name) {
    LOADER_TRY(const std::uint64_t elements, countElements(dims, name));
    const std::uint64_t blockValues = typeInfo(type).blockValues;
    if (dims[0] % blockValues != 0) {
        return Error(Errc::GG050, {std::string(name), std::to_string(dims[0]), std::to_string(blockValues)});
    }
    // Rows are whole blocks, so the elements are too, and the bytes follow from their count alone.
    const auto bytes = rowBytes(type, elements);
    if (!bytes) return Error(Errc::GG051, {std::string(name)});
    return *bytes;
}

}  // namespace loader::quant
