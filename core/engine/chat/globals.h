// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The functions that every template can call.
#pragma once

#include <optional>
#include <string_view>

#include "core/engine/chat/runtime.h"

namespace loader::chat {

std::optional<std::int64_t> findFunction(std::string_view name);
Result<Value> callFunction(Runtime& runtime, std::int64_t index, const Arguments& arguments);

}  // namespace loader::chat
