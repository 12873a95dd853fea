// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf tokenize and gguf detokenize. Both read only the header of the file.

#include "core/cli/context.h"
#include "core/engine/text/detokenizer.h"
#include "core/host/chat_prompt.h"

namespace loader::cli {
namespace {

Result<std::unique_ptr<host::ModelText>> readText(const Context& context) {
    LOADER_TRY(const std::string path, modelPath(context));
    LOADER_TRY(const auto file, gguf::ModelFile::open(path));
    auto words = host::readModelText(file->metadata());
    if (!words.ok()) return std::move(words).error().within(path);
    if (!*words) return Error(Errc::T201, {"the file has none"}, path);
    return words;
}

}  // namespace

Result<int> tokenizeCommand(Context& context) {
    LOADER_TRY(const auto words, readText(context));
    LOADER_TRY(const std::string text, readStandardInput(text::kMaximumPromptBytes));
    host::RawTextOptions options;
    options.addSpecial = !context.arguments.has("no-bos");
    options.parseSpecial = !context.arguments.has("no-special");
    LOADER_TRY(const std::vector<TokenId> ids, host::rawPrompt(words->tokenizer, text, options));
    if (context.output.json()) {
        context.output.writeJson({{"ids", ids}});
        return 0;
    }
    std::string line;
    for (const TokenId id : ids) {
        if (!line.empty()) line += ' ';
        line += std::to_string(id);
    }
    context.output.write(line + "\n");
    return 0;
}

Result<int> detokenizeCommand(Context& context) {
    const auto operands = context.arguments.operands();
    std::vector<std::uint64_t> numbers;
    for (const std::string& operand : operands.subspan(1)) {
        const auto number = wholeNumber(operand);
        if (!number) return Error(Errc::X001, {"A token id is a whole number, not " + operand + "."});
        numbers.push_back(*number);
    }
    LOADER_TRY(const auto words, readText(context));
    const text::Vocabulary& vocabulary = *words->vocabulary;
    const auto size = static_cast<std::uint64_t>(vocabulary.size());
    std::vector<std::remove_cvref_t<decltype(vocabulary.endOfGeneration().front())>> ids;
    for (const std::uint64_t number : numbers) {
        if (number >= size) return Error(Errc::T211, {std::to_string(number), std::to_string(size)});
        ids.push_back(static_cast<typename decltype(ids)::value_type>(number));
    }
    text::DecodeOptions options;
    options.showSpecial = context.arguments.has("special");
    if (context.output.json()) {
        LOADER_TRY(const std::string text, text::Detokenizer::decode(vocabulary, ids, options));
        context.output.writeJson({{"text", text}});
        return 0;
    }
    // Byte for byte what was encoded, even where it was no UTF-8.
    LOADER_TRY(const std::string bytes, text::Detokenizer::decodeBytes(vocabulary, ids, options));
    context.output.write(bytes);
    return 0;
}

}  // namespace loader::cli
