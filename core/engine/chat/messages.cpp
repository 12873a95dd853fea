// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/messages.h"

namespace loader::chat {
namespace {

Error unusable(std::size_t number, std::string_view what) {
    return Error(Errc::J414, {"message " + std::to_string(number + 1) + " " + std::string(what)});
}

Status checkParts(const Json& parts, std::size_t number) {
    for (const Json& part : parts) {
        if (!part.is_object()) return unusable(number, "has a content part that is not an object");
        const auto type = part.find("type");
        const auto text = part.find("text");
        if (type == part.end() || *type != "text")
            return unusable(number, "has a content part that is not text");
        if (text == part.end() || !text->is_string()) return unusable(number, "has a text part without text");
    }
    return {};
}

Status checkMessage(const Json& message, std::size_t number) {
    if (!message.is_object()) return unusable(number, "is not an object");
    const auto role = message.find("role");
    if (role == message.end() || !role->is_string()) return unusable(number, "has no role");
    const auto content = message.find("content");
    if (content == message.end()) {
        const bool replaced = message.contains("tool_calls") || message.contains("reasoning_content");
        return replaced ? Status() : Status(unusable(number, "has no content"));
    }
    if (content->is_array()) return checkParts(*content, number);
    const bool usable = content->is_string() || content->is_null();
    return usable ? Status()
                  : Status(unusable(number, "has a content that is neither text nor a list of parts"));
}

}  // namespace

Json makeMessage(std::string_view role, std::string_view content) {
    Json message = Json::object();
    message["role"] = std::string(role);
    message["content"] = std::string(content);
    return message;
}

Status checkMessages(const Json& messages) {
    if (!messages.is_array()) return Error(Errc::J414, {"they are not a list"});
    for (std::size_t i = 0; i < messages.size(); ++i)
        LOADER_CHECK(checkMessage(messages[i], i));
    return {};
}

Status checkTools(const Json& tools) {
    if (!tools.is_array()) return Error(Errc::J414, {"the tools are not a list"});
    for (const Json& tool : tools) {
        if (!tool.is_object()) return Error(Errc::J414, {"a tool is not an object"});
    }
    return {};
}

Result<Conversation> parseConversation(std::string_view text) {
    // Depth is counted while parsing, so that hostile nesting is refused before it costs memory.
    bool tooDeep = false;
    const auto watch = [&tooDeep](int depth, Json::parse_event_t, Json&) {
        tooDeep = tooDeep || depth > static_cast<int>(kJsonDepthLimit);
        return !tooDeep;
    };
    Json json = Json::parse(text.begin(), text.end(), watch, false);
    if (tooDeep) return Error(Errc::J414, {"they are nested too deeply"});
    if (json.is_discarded()) return Error(Errc::J414, {"they are not JSON"});
    Conversation conversation;
    if (json.is_array()) {
        conversation.messages = std::move(json);
    } else if (json.is_object() && json.contains("messages")) {
        conversation.messages = std::move(json["messages"]);
        json.erase("messages");
        conversation.variables = std::move(json);
    } else {
        return Error(Errc::J414, {"there is no list of messages"});
    }
    LOADER_CHECK(checkMessages(conversation.messages));
    return conversation;
}

}  // namespace loader::chat
