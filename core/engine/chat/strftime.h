// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// strftime with English names, for a moment that the caller gives.
#pragma once

#include <string>
#include <string_view>

#include "core/engine/base/result.h"
#include "core/engine/chat/template.h"

namespace loader::chat {

/// Fields out of their ranges are refused.
/// @errors J414
Status checkTime(const CivilTime& time);
/// The directives of C99 as glibc prints them in the C locale, with its flags - _ 0 ^ #; %f is six zeros, %z
/// and %Z are empty as for a time without zone. Unknown directives stay as they are.
std::string formatTime(std::string_view format, const CivilTime& time);

}  // namespace loader::chat
