// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf template: renders the template of a model, or a Jinja file, byte for byte.

#include <array>
#include <cstring>

#include "core/cli/context.h"
#include "core/engine/base/mapped_file.h"
#include "core/host/chat_prompt.h"

namespace loader::cli {
namespace {

constexpr std::size_t kMostJsonBytes = std::size_t{64} << 20;

struct Source {
    chat::Template compiled;
    chat::Json variables;
};

bool isModelFile(const std::string& path) {
    const auto file = FileSource::open(path);
    std::array<std::byte, 4> magic{};
    if (!file.ok() || (*file)->size() < magic.size() || !(*file)->read(0, magic).ok()) return false;
    return std::memcmp(magic.data(), "GGUF", magic.size()) == 0;
}

Result<Source> readSource(const Context& context) {
    LOADER_TRY(const std::string path, modelPath(context));
    if (!isModelFile(path)) {
        LOADER_TRY(const std::string source, readTextFile(path, chat::kTemplateBytesLimit + 1));
        auto compiled = chat::Template::compile(source);
        if (!compiled.ok()) return std::move(compiled).error().within(path);
        return Source{std::move(compiled).value(), host::templateVariables(nullptr)};
    }
    LOADER_TRY(const auto file, gguf::ModelFile::open(path));
    LOADER_TRY(auto compiled, host::compileModelTemplate(file->metadata()));
    LOADER_TRY(const auto words, host::readModelText(file->metadata()));
    return Source{std::move(compiled), host::templateVariables(words ? words->vocabulary.get() : nullptr)};
}

/// "2024-07-26T14:30", perhaps with seconds.
Result<chat::CivilTime> civilTime(const std::string& text) {
    const auto part = [&text](std::size_t at, std::size_t length) {
        return at + length <= text.size() ? wholeNumber(std::string_view(text).substr(at, length))
                                          : std::nullopt;
    };
    const auto year = part(0, 4);
    const auto month = part(5, 2);
    const auto day = part(8, 2);
    const auto hour = part(11, 2);
    const auto minute = part(14, 2);
    const auto second = text.size() == 16 ? std::optional<std::uint64_t>(0) : part(17, 2);
    const bool shaped = (text.size() == 16 || text.size() == 19) && text[4] == '-' && text[7] == '-' &&
                        (text[10] == 'T' || text[10] == ' ') && text[13] == ':' &&
                        (text.size() == 16 || text[16] == ':');
    const bool complete = shaped && year && month && day && hour && minute && second;
    if (!complete || *month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 ||
        *second > 59)
        return Error(Errc::X001,
                     {"The option --now takes a time such as 2024-07-26T14:30, not " + text + "."});
    chat::CivilTime time;
    time.year = static_cast<int>(*year);
    time.month = static_cast<int>(*month);
    time.day = static_cast<int>(*day);
    time.hour = static_cast<int>(*hour);
    time.minute = static_cast<int>(*minute);
    time.second = static_cast<int>(*second);
    return time;
}

Result<chat::Json> readTools(const std::string& path) {
    LOADER_TRY(const std::string text, readTextFile(path, kMostJsonBytes));
    chat::Json tools = chat::Json::parse(text, nullptr, false);
    if (tools.is_discarded()) return Error(Errc::J414, {"the tools are not JSON"}, path);
    auto checked = chat::checkTools(tools);
    if (!checked.ok()) return std::move(checked).error().within(path);
    return tools;
}

}  // namespace

Result<int> templateCommand(Context& context) {
    const Arguments& arguments = context.arguments;
    const auto messages = arguments.text("messages");
    if (!messages) return Error(Errc::X001, {"gguf template needs --messages FILE."});
    chat::RenderInput input;
    input.now = host::localTime();
    if (const auto now = arguments.text("now")) {
        LOADER_TRY(input.now, civilTime(*now));
    }
    LOADER_TRY(Source source, readSource(context));
    LOADER_TRY(const std::string json, readTextFile(*messages, kMostJsonBytes));
    auto conversation = chat::parseConversation(json);
    if (!conversation.ok()) return std::move(conversation).error().within(*messages);
    input.messages = std::move(conversation->messages);
    input.variables = std::move(source.variables);
    input.variables.update(conversation->variables);
    input.addGenerationPrompt = !arguments.has("no-generation-prompt");
    const auto flag = input.variables.find("add_generation_prompt");
    if (flag != input.variables.end() && flag->is_boolean() && input.addGenerationPrompt)
        input.addGenerationPrompt = flag->get<bool>();
    if (const auto tools = arguments.text("tools")) {
        LOADER_TRY(chat::Json list, readTools(*tools));
        input.tools = std::move(list);
    }
    LOADER_TRY(const chat::Rendered rendered, source.compiled.render(input, {}, context.cancel));
    if (!context.output.json()) {
        context.output.write(rendered.text);
        return 0;
    }
    Json document = {{"text", rendered.text}, {"spans", Json::array()}};
    for (const chat::OriginSpan& span : rendered.spans)
        document["spans"].push_back(
            {{"begin", span.begin}, {"end", span.end}, {"template", span.fromTemplate}});
    context.output.writeJson(document);
    return 0;
}

}  // namespace loader::cli
