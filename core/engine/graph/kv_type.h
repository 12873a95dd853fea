// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What numbers a KV cache keeps.
#pragma once

#include <cstdint>

namespace loader::graph {

enum class KvType : std::uint8_t { F16, Q8_0, F32 };

}  // namespace loader::graph
