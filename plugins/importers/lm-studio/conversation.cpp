// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A conversation of LM Studio: each message has versions, of which one is shown; an answer has steps.

#include "plugins/importers/lm-studio/fields.h"

namespace loader::importers::lm_studio {
namespace {

std::string textAt(const Json& object, const char* key) {
    if (!object.is_object()) return {};
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json at(const Json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? Json() : *found;
}

std::optional<std::int64_t> timeAt(const Json& object, const char* key) {
    const Json value = at(object, key);
    if (!value.is_number()) return std::nullopt;
    const double number = value.get<double>();
    // Milliseconds, from 2001 to 2286.
    if (!(number > 1e12 && number < 1e13)) return std::nullopt;
    return static_cast<std::int64_t>(number);
}

/// Text of one part of a message; what is no text is named.
std::string textOfPart(const Json& part) {
    if (part.is_string()) return part.get<std::string>();
    const std::string type = textAt(part, "type");
    if (type == "text") return textAt(part, "text");
    if (type == "file" || type == "image")
        return "[" + type + ": " +
               (textAt(part, "name").empty() ? textAt(part, "fileIdentifier") : textAt(part, "name")) + "]";
    if (type == "toolCallRequest")
        return "[" + textAt(part, "name") + "(" + at(part, "parameters").dump() + ")]";
    if (type == "toolCallResult") return "[" + textAt(part, "content") + "]";
    return {};
}

std::string textOfParts(const Json& parts) {
    if (parts.is_string()) return parts.get<std::string>();
    std::string text;
    if (!parts.is_array()) return text;
    for (const Json& part : parts) {
        const std::string piece = textOfPart(part);
        if (!text.empty() && !piece.empty() && textAt(part, "type") != "text") text += "\n";
        text += piece;
    }
    return text;
}

void addSteps(const Json& steps, app::ImportedMessage& message) {
    if (!steps.is_array()) return;
    for (const Json& step : steps) {
        // Others tell of the program: how it found a title, what it loaded.
        if (textAt(step, "type") != "contentBlock") continue;
        const std::string text = textOfParts(at(step, "content"));
        const bool thought = textAt(at(step, "style"), "type") == "thinking";
        std::string& place = thought ? message.reasoning : message.text;
        if (!place.empty() && !text.empty()) place += "\n\n";
        place += text;
        const std::string model = textAt(at(step, "genInfo"), "identifier");
        if (message.model.empty()) message.model = model;
    }
}

app::ImportedMessage messageOf(const Json& version) {
    app::ImportedMessage message;
    message.role = textAt(version, "role");
    message.model = textAt(at(version, "senderInfo"), "senderName");
    message.text = textOfParts(at(version, "content"));
    addSteps(at(version, "steps"), message);
    return message;
}

/// All versions, the shown one last. @return where the shown one stands
std::size_t addVersions(const Json& entry, std::optional<std::size_t> parent,
                        app::ImportedConversation& chat) {
    const Json versions = at(entry, "versions");
    // The oldest files have the message itself there.
    if (!versions.is_array() || versions.empty()) {
        chat.messages.push_back(messageOf(entry));
        chat.messages.back().parent = parent;
        return chat.messages.size() - 1;
    }
    const Json selected = at(entry, "currentlySelected");
    std::size_t shown = 0;
    if (selected.is_number_unsigned() && selected.get<std::uint64_t>() < versions.size())
        shown = selected.get<std::size_t>();
    for (std::size_t i = 0; i < versions.size(); ++i) {
        const std::size_t place = i + 1 == versions.size() ? shown : i < shown ? i : i + 1;
        chat.messages.push_back(messageOf(versions[place]));
        chat.messages.back().parent = parent;
    }
    return chat.messages.size() - 1;
}

}  // namespace

bool isConversation(const Json& document) {
    return at(document, "messages").is_array();
}

app::ImportedConversation conversationOf(const Json& document, const std::string& identity) {
    app::ImportedConversation chat;
    chat.identity = identity;
    chat.title = textAt(document, "name");
    if (chat.title.empty()) chat.title = textAt(document, "title");
    chat.systemPrompt = textAt(document, "systemPrompt");
    chat.created = timeAt(document, "createdAt");
    std::optional<std::size_t> parent;
    for (const Json& entry : at(document, "messages"))
        if (entry.is_object()) parent = addVersions(entry, parent, chat);
    return chat;
}

}  // namespace loader::importers::lm_studio
