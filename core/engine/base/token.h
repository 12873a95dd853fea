// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a token id is, for every part of the engine.
#pragma once

#include <cstdint>

namespace loader {

/// Index into a vocabulary; negative values mean "none".
using TokenId = std::int32_t;
inline constexpr TokenId kNoToken = -1;

}  // namespace loader
