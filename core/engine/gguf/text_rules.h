// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What keys, tensor names and texts of a file may look like, and how doubtful ones are shown.
#pragma once

#include <string>
#include <string_view>

#include "core/engine/base/result.h"

namespace loader::gguf {

/// @errors GG018 zero byte, GG017 not UTF-8
Status checkText(std::string_view text);
/// @errors as checkText, GG012 empty, GG013 control characters
Status checkKey(std::string_view key);
/// Letters, digits and . _ - : only: names end up in logs, terminals and file names.
/// @errors as checkText, GG041 empty, GG043
Status checkTensorName(std::string_view name);

/// Valid UTF-8 without control characters (they become \x1b), cut after maxBytes. Line breaks and tabs stay
/// where asked.
std::string printable(std::string_view text, std::size_t maxBytes = 80, bool keepLines = false);

/// Below, equal or above 0: by letters without ASCII case first, then by bytes. One order finds a key and its
/// look-alikes.
int compareKeys(std::string_view a, std::string_view b);
bool equalIgnoringCase(std::string_view a, std::string_view b);

}  // namespace loader::gguf
