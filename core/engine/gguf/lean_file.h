// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A header for a list of models: word lists are walked over, not kept, which is several times as fast. What
// File::parse accepts is accepted here with the same tensors; of a text inside a long array the reverse need
// not hold, because nobody looked at it.
#pragma once

#include "core/engine/gguf/file.h"

namespace loader::gguf {

/// Arrays with more elements are left out of the metadata; their lengths are checked.
inline constexpr std::uint64_t kLeanElements = 1024;

/// @errors as File::parse
Result<File> parseLean(const ByteSource& source, const ParseOptions& options = {});

}  // namespace loader::gguf
