// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/chat_prompt.h"

#include <ctime>

namespace loader::host {
namespace {

std::string specialText(const text::Vocabulary& vocabulary, const std::optional<TokenId>& id) {
    return id ? std::string(vocabulary.text(*id)) : std::string();
}

std::vector<text::TextSpan> spansOf(const chat::Rendered& rendered) {
    std::vector<text::TextSpan> spans;
    spans.reserve(rendered.spans.size());
    for (const chat::OriginSpan& span : rendered.spans)
        spans.push_back({span.end - span.begin, span.fromTemplate});
    return spans;
}

}  // namespace

chat::CivilTime localTime() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
#ifdef _WIN32
    localtime_s(&parts, &now);
#else
    localtime_r(&now, &parts);
#endif
    chat::CivilTime time;
    time.year = parts.tm_year + 1900;
    time.month = parts.tm_mon + 1;
    time.day = parts.tm_mday;
    time.hour = parts.tm_hour;
    time.minute = parts.tm_min;
    time.second = parts.tm_sec;
    return time;
}

chat::Json templateVariables(const text::Vocabulary* vocabulary) {
    chat::Json variables = chat::Json::object();
    variables["bos_token"] = vocabulary ? specialText(*vocabulary, vocabulary->special().bos) : "";
    variables["eos_token"] = vocabulary ? specialText(*vocabulary, vocabulary->special().eos) : "";
    return variables;
}

Result<std::vector<TokenId>> chatPrompt(const chat::Template& compiled, const text::Tokenizer& tokenizer,
                                        const chat::Json& messages, CancelToken cancel) {
    LOADER_CHECK(chat::checkMessages(messages));
    const text::Vocabulary& vocabulary = tokenizer.vocabulary();
    chat::RenderInput input;
    input.messages = messages;
    input.variables = templateVariables(&vocabulary);
    input.now = localTime();
    LOADER_TRY(const chat::Rendered rendered, compiled.render(input, {}, cancel));
    LOADER_TRY(const auto encoded, tokenizer.encodeSpans(rendered.text, spansOf(rendered), false));
    std::vector<TokenId> ids(encoded.begin(), encoded.end());
    const std::optional<TokenId> bos = vocabulary.special().bos;
    const bool written = bos && !ids.empty() && ids.front() == *bos;
    if (bos && vocabulary.addBos() && !written) ids.insert(ids.begin(), *bos);
    return ids;
}

Result<std::vector<TokenId>> rawPrompt(const text::Tokenizer& tokenizer, std::string_view text,
                                       const RawTextOptions& options) {
    LOADER_TRY(const auto encoded, tokenizer.encode(text, {options.addSpecial, options.parseSpecial}));
    return std::vector<TokenId>(encoded.begin(), encoded.end());
}

}  // namespace loader::host
