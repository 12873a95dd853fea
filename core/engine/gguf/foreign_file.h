// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Names the kinds of file that people most often open in place of a model, from their first bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "core/engine/base/result.h"

namespace loader::gguf {

/// Enough bytes to recognise any of them.
inline constexpr std::size_t kForeignHeadBytes = 64;

/// GG003 with the name of the kind and what to do, or nothing where the bytes say nothing.
std::optional<Error> recogniseForeign(std::span<const std::byte> head);

}  // namespace loader::gguf
