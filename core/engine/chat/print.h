// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Values as text: Python's str() and repr(), and JSON as Python's json.dumps writes it.
#pragma once

#include <optional>
#include <string>

#include "core/engine/chat/runtime.h"

namespace loader::chat {

/// Shortest form that reads back the same, as Python prints it.
std::string floatText(double value);
/// str(value); text stays itself, with its origins.
Result<Value> textOf(Runtime& runtime, const Value& value);
/// Appends str(value). What is computed from mixed origins counts as not from the template.
Status appendText(Runtime& runtime, TextBuilder& builder, const Value& value);
Result<Value> reprOf(Runtime& runtime, const Value& value);

struct JsonStyle {
    bool asciiOnly = false;
    bool sortKeys = false;
    /// Absent: one line.
    std::optional<std::string> indent;
    std::string itemSeparator = ", ";
    std::string keySeparator = ": ";
};
Result<Value> jsonOf(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace loader::chat
