// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Methods of values: a closed table. A method exists only as the name in a call.
#pragma once

#include <string_view>

#include "core/engine/chat/runtime.h"

namespace loader::chat {

bool hasMethod(const Value& value, std::string_view name);
/// Names that the sandbox hides: methods that change their object, and Python's inner attributes.
bool isForbiddenName(const Value& value, std::string_view name);
/// The method must exist.
Result<Value> callMethod(Runtime& runtime, const Value& receiver, std::string_view name,
                         const Arguments& arguments);

}  // namespace loader::chat
