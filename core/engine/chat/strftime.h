// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// strftime with English names, for a moment that the caller gives.
#pragma once

#include <string>
#include <string_view>

#include "core/engine/base/result.h"

namespace loader::chat {

/// The moment that strftime_now shows. The caller reads the clock; the engine does not.
struct CivilTime {
    int year = 1970;
    /// 1 to 12
    int month = 1;
    /// 1 to 31
    int day = 1;
    int hour = 0;
    int minute = 0;
    int second = 0;
};

/// Fields out of their ranges are refused.
/// @errors J414
Status checkTime(const CivilTime& time);
/// The directives of C99 as glibc prints them in the C locale, with its flags - _ 0 ^ #; %f is six zeros, %z
/// and %Z are empty as for a time without zone. Unknown directives stay as they are.
std::string formatTime(std::string_view format, const CivilTime& time);

}  // namespace loader::chat
