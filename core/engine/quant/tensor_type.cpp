// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/quant/tensor_type.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>

#include "core/engine/base/checked.h"

namespace loader::quant {
namespace {

constexpr TypeInfo kTypes[] = {
#define LOADER_TENSOR_TYPE(name, number, values, bytes, role) \
    {TensorType::name, #name, values, bytes, TypeRole::role},
#include "core/engine/quant/types.inc"
};

/// Above this no dimension of a real tensor lies.
constexpr std::uint64_t kMaxDimension = 1ull << 40;

}  // namespace

std::span<const TypeInfo> allTypes() {
    return kTypes;
}

}  // namespace loader::quant
