// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Reads a whole file that a person or another program wrote: never a device or a pipe, never more than a
// limit.
#pragma once

#include <cstddef>
#include <string>

#include "core/engine/base/result.h"

namespace loader::app {

/// Of a configuration file.
inline constexpr std::size_t kMostConfigBytes = std::size_t{16} << 20;

/// Byte for byte. Links are followed. @errors C502 more than most bytes, C512 no regular file, F802, F804,
/// F805
Result<std::string> readSmallFile(const std::string& path, std::size_t most = kMostConfigBytes);

/// The same text as UTF-8 without a mark in front: UTF-8 or UTF-16 with a mark, UTF-8 without, or, where that
/// is not valid, Windows-1252. @errors C501 a zero character, UTF-16 that is cut off or has lone surrogates
struct DecodedText {
    std::string text;
    /// "UTF-8", "UTF-16" or "Windows-1252".
    std::string encoding;
};
Result<DecodedText> decodedText(std::string bytes);

}  // namespace loader::app
