// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Formatting of numbers and text: Python's % operator and str.format with their usual conversions.
#pragma once

#include "core/engine/chat/runtime.h"

namespace loader::chat {

/// text % values, where values is a tuple, a dict (for %(name)s) or a single value.
Result<Value> formatPercent(Runtime& runtime, const Value& format, const Value& values);
/// text.format(...): {}, {0}, {name}, with a conversion (!r, !s) and a format of fill, alignment, sign,
/// width, grouping, precision and type. Attributes and items within the braces are refused (J410).
Result<Value> formatBraces(Runtime& runtime, const Value& format, const Arguments& arguments);

}  // namespace loader::chat
