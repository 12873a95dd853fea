// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/jan/threads.h"

#include <algorithm>

#include "core/app/storage/json_text.h"
#include "core/app/storage/small_file.h"
#include "plugins/importers/common/places.h"

namespace loader::importers::jan {
namespace {

using app::Json;

constexpr std::size_t kMostMessagesBytes = std::size_t{512} << 20;

const Json& at(const Json& object, const char* key) {
    static const Json none;
    if (!object.is_object()) return none;
    const auto found = object.find(key);
    return found == object.end() ? none : *found;
}

std::string textAt(const Json& object, const char* key) {
    const Json& value = at(object, key);
    return value.is_string() ? value.get<std::string>() : std::string();
}

/// Seconds in older files, milliseconds in newer ones.
std::optional<std::int64_t> timeAt(const Json& object, const char* key) {
    const Json& value = at(object, key);
    if (!value.is_number()) return std::nullopt;
    const double number = value.get<double>();
    if (number > 0 && number < 1e11) return static_cast<std::int64_t>(number * 1000);
    if (number > 1e11 && number < 1e13) return static_cast<std::int64_t>(number);
    return std::nullopt;
}

/// {"text": {"value"}}, {"text": "…"}, {"input_text"}.
std::string textOfPart(const Json& part) {
    const Json& text = at(part, "text");
    if (text.is_object()) return textAt(text, "value");
    if (text.is_string()) return text.get<std::string>();
    const std::string type = textAt(part, "type");
    if (type == "image_url") return "[image]";
    if (type == "tool_call") return "[" + textAt(part, "tool_name") + "(" + at(part, "input").dump() + ")]";
    return {};
}

void addParagraph(std::string& text, const std::string& more) {
    if (more.empty()) return;
    if (!text.empty()) text += "\n\n";
    text += more;
}

app::ImportedMessage messageOf(const Json& line, const std::string& model) {
    app::ImportedMessage message;
    message.role = textAt(line, "role");
    message.time = timeAt(line, "created_at");
    const Json& content = at(line, "content");
    if (content.is_string()) message.text = content.get<std::string>();
    if (content.is_array()) {
        for (const Json& part : content) {
            const bool thought = textAt(part, "type") == "reasoning";
            addParagraph(thought ? message.reasoning : message.text, textOfPart(part));
        }
    }
    if (message.role == "assistant") message.model = model;
    return message;
}

/// What stands before the answer between <think> and </think> is a thought.
void splitThought(app::ImportedMessage& message) {
    constexpr std::string_view kBegin = "<think>";
    constexpr std::string_view kEnd = "</think>";
    const std::size_t end = message.text.find(kEnd);
    if (message.role != "assistant" || !message.text.starts_with(kBegin) || end == std::string::npos) return;
    addParagraph(message.reasoning, message.text.substr(kBegin.size(), end - kBegin.size()));
    const std::size_t first = message.text.find_first_not_of("\n ", end + kEnd.size());
    message.text = first == std::string::npos ? std::string() : message.text.substr(first);
}

}  // namespace

Status readThread(const std::string& path, app::ImportSink& sink) {
    LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
    const Json& thread = text.document;
    if (!thread.is_object()) return Error(Errc::C501, {"it is no conversation"}, path);
    const std::string folder = folderOf(path);
    app::ImportedConversation chat;
    chat.identity = "jan:" + fileName(folder);
    chat.title = textAt(thread, "title");
    chat.folder = "Jan";
    chat.created = timeAt(thread, "created");
    const Json& assistants = at(thread, "assistants");
    const Json assistant = assistants.is_array() && !assistants.empty() ? assistants[0] : Json();
    chat.systemPrompt = textAt(assistant, "instructions");
    std::string model = textAt(at(assistant, "model"), "id");
    if (model.empty()) model = textAt(at(thread, "model"), "id");
    const std::string file = joined(folder, "messages.jsonl");
    auto bytes = app::readSmallFile(file, kMostMessagesBytes);
    if (!bytes && bytes.error().code() != Errc::F802)
        sink.invalid({file, {}}, nullptr, bytes.error().message());
    std::string_view rest = bytes ? std::string_view(*bytes) : std::string_view();
    for (std::size_t line = 1; !rest.empty(); ++line) {
        const std::string_view one = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(one.size() + 1, rest.size()));
        if (one.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        const auto parsed = app::parseJson(one);
        if (!parsed || !parsed->document.is_object()) {
            sink.invalid({file, "line " + std::to_string(line)}, nullptr, "It is no message");
            continue;
        }
        app::ImportedMessage message = messageOf(parsed->document, model);
        splitThought(message);
        if (!chat.messages.empty()) message.parent = chat.messages.size() - 1;
        chat.messages.push_back(std::move(message));
    }
    const std::string note = std::to_string(chat.messages.size()) + " messages";
    sink.conversation({path, {}}, std::move(chat), note);
    return {};
}

}  // namespace loader::importers::jan
