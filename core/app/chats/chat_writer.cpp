// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/chats/chat_writer.h"

#include <map>

#include "core/app/chats/chat_backup.h"

namespace loader::app {
namespace {

constexpr const char* kTimeForm = "%Y-%m-%d %H:%M UTC";

Json optionalNumber(std::optional<std::int64_t> number) {
    return number ? Json(*number) : Json();
}

std::string nameOfRole(const Message& message) {
    if (message.role == "user") return "You";
    if (message.role == "system") return "System";
    if (message.role == "tool") return "Tool";
    return message.model.empty() ? "Answer" : message.model;
}

/// "You (2026-11-22 10:00 UTC)".
std::string headOf(const Message& message) {
    std::string head = nameOfRole(message);
    if (message.time) head += " (" + utcText(*message.time, kTimeForm) + ")";
    return head;
}

/// Characters that would make something else of a heading.
std::string markdownEscaped(std::string_view text) {
    std::string escaped;
    for (const char letter : text) {
        if (std::string_view("\\`*_[]<>#|").find(letter) != std::string_view::npos) escaped += '\\';
        escaped += letter;
    }
    return escaped;
}

std::string quotation(std::string_view text) {
    std::string lines = "> ";
    for (const char letter : text) {
        lines += letter;
        if (letter == '\n') lines += "> ";
    }
    return lines;
}

}  // namespace

Json chatJson(const Chat& chat, const std::vector<std::string>& folders, const std::vector<Message>& tree) {
    std::map<MessageId, std::size_t> places;
    for (std::size_t i = 0; i < tree.size(); ++i)
        places.emplace(tree[i].id, i);
    const auto placeOf = [&places](std::optional<MessageId> id) {
        const auto found = id ? places.find(*id) : places.end();
        return found == places.end() ? Json() : Json(found->second);
    };
    Json messages = Json::array();
    for (const Message& message : tree) {
        messages.push_back({{"parent", placeOf(message.parent)},
                            {"role", message.role},
                            {"text", message.text},
                            {"reasoning", message.reasoning},
                            {"model", message.model},
                            {"time", optionalNumber(message.time)},
                            {"state", static_cast<int>(message.state)},
                            {"deleted", optionalNumber(message.deleted)}});
    }
    const ChatSummary& summary = chat.summary;
    return {{"id", chat.uuid},
            {"title", summary.title},
            {"folder", folders},
            {"pinned", summary.pinned},
            {"archived", summary.archived},
            {"model", summary.model},
            {"system_prompt", chat.systemPrompt},
            {"settings", chat.settings},
            {"created", summary.created},
            {"changed", summary.changed},
            {"deleted", optionalNumber(summary.deleted)},
            {"active", placeOf(chat.active)},
            {"messages", std::move(messages)}};
}

std::string chatMarkdown(const Chat& chat, const std::vector<Message>& branch) {
    std::string text = "# " + markdownEscaped(chat.summary.title) + "\n";
    if (!chat.systemPrompt.empty()) text += "\n## System prompt\n\n" + chat.systemPrompt + "\n";
    for (const Message& message : branch) {
        text += "\n## " + markdownEscaped(headOf(message)) + "\n\n";
        if (!message.reasoning.empty()) text += quotation(message.reasoning) + "\n\n";
        text += message.text + "\n";
    }
    return text;
}

std::string htmlEscaped(std::string_view text) {
    std::string escaped;
    for (const char letter : text) {
        switch (letter) {
            case '&': escaped += "&amp;"; break;
            case '<': escaped += "&lt;"; break;
            case '>': escaped += "&gt;"; break;
            case '"': escaped += "&quot;"; break;
            case '\'': escaped += "&#39;"; break;
            default: escaped += letter;
        }
    }
    return escaped;
}

std::string htmlPageBegin() {
    return "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<meta "
           "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'unsafe-inline'\">\n<title>Chats</title>\n<style>\nbody { font-family: sans-serif; max-width: "
           "50em; "
           "margin: auto; }\npre { white-space: pre-wrap; font-family: inherit; }\npre.reasoning { opacity: "
           "0.7; "
           "}\n</style>\n</head>\n<body>\n";
}

std::string htmlPageEnd() {
    return "</body>\n</html>\n";
}

std::string chatHtml(const Chat& chat, const std::vector<Message>& branch) {
    std::string text = "<h1>" + htmlEscaped(chat.summary.title) + "</h1>\n";
    if (!chat.systemPrompt.empty())
        text += "<h2>System prompt</h2>\n<pre>" + htmlEscaped(chat.systemPrompt) + "</pre>\n";
    for (const Message& message : branch) {
        text += "<h2>" + htmlEscaped(headOf(message)) + "</h2>\n";
        if (!message.reasoning.empty())
            text += "<pre class=\"reasoning\">" + htmlEscaped(message.reasoning) + "</pre>\n";
        text += "<pre dir=\"auto\">" + htmlEscaped(message.text) + "</pre>\n";
    }
    return text;
}

std::string chatPlainText(const Chat& chat, const std::vector<Message>& branch) {
    std::string text = chat.summary.title + "\n" + std::string(40, '=') + "\n";
    if (!chat.systemPrompt.empty()) text += "\n[System prompt]\n" + chat.systemPrompt + "\n";
    for (const Message& message : branch) {
        text += "\n[" + headOf(message) + "]\n";
        if (!message.reasoning.empty()) text += "(" + message.reasoning + ")\n";
        text += message.text + "\n";
    }
    return text;
}

}  // namespace loader::app
