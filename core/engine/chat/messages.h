// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a chat template is given: messages and tool descriptions as JSON in the order they were written,
// checked once before a template sees them. Fields that are not named here (tool_calls, reasoning_content …)
// pass through.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/engine/base/result.h"

namespace loader::chat {

/// JSON that keeps the order of its keys: templates print tools and arguments as they were written.
using Json = nlohmann::ordered_json;

/// How deep messages, tools and variables may nest.
inline constexpr std::size_t kJsonDepthLimit = 64;

/// A message of plain text.
Json makeMessage(std::string_view role, std::string_view content);

/// A list of objects, each with a text `role`; `content` is text, null, or a list of parts {type: "text",
/// text}; it may be absent only where `tool_calls` or `reasoning_content` stand in its place.
/// @errors J414, with the number of the message
Status checkMessages(const Json& messages);

/// A list of objects.
/// @errors J414
Status checkTools(const Json& tools);

struct Conversation {
    Json messages = Json::array();
    /// Keys beside `messages` become variables of the template; `tools` is among them where given.
    Json variables = Json::object();
};

/// Reads a list of messages, or an object that holds `messages` and other template variables.
/// @errors J414
Result<Conversation> parseConversation(std::string_view text);

}  // namespace loader::chat
