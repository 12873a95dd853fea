// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf run: one prompt, one answer.

#include "core/cli/configuration.h"
#include "core/cli/model_access.h"

namespace loader::cli {
namespace {

/// Prompts longer than this show how far their evaluation has come.
constexpr std::size_t kShowProgressFrom = 512;

Result<std::string> promptText(const Context& context) {
    if (const auto given = context.arguments.text("prompt")) return *given;
    if (standardInputIsTerminal())
        return Error(Errc::X001, {"There is no prompt: give one with -p, or on standard input."});
    return readStandardInput(text::kMaximumPromptBytes);
}

struct Prompt {
    std::vector<TokenId> ids;
    /// The answer continues written text, so its first space belongs to it.
    bool continuesText = false;
};

Result<Prompt> encodePrompt(const Context& context, ModelAccess& model, const std::string& text) {
    Prompt prompt;
    if (context.arguments.has("chat")) {
        chat::Json messages = chat::Json::array();
        LOADER_TRY(const std::string system, systemPrompt(context));
        if (!system.empty()) messages.push_back(chat::makeMessage("system", system));
        messages.push_back(chat::makeMessage("user", text));
        LOADER_TRY(prompt.ids, model.chatPrompt(messages, context.cancel));
        return prompt;
    }
    host::RawTextOptions options;
    options.addSpecial = !context.arguments.has("no-bos");
    options.parseSpecial = !context.arguments.has("no-special");
    LOADER_TRY(prompt.ids, model.rawPrompt(text, options));
    prompt.continuesText = !text.empty();
    return prompt;
}

}  // namespace

Result<int> runCommand(Context& context) {
    Output& output = context.output;
    if (context.arguments.has("system") && !context.arguments.has("chat"))
        return Error(Errc::X001, {"--system needs --chat: raw text has no system message."});
    LOADER_CHECK(answerOptions(context, {}));  // a wrong option is told before a model is loaded
    LOADER_TRY(const host::LoadRequest request, loadRequest(context));
    LOADER_TRY(const std::string text, promptText(context));
    LOADER_TRY(const auto model, openModel(context, request));
    LOADER_TRY(host::AnswerOptions options, answerOptions(context, model->recommendedSampling()));
    LOADER_TRY(Prompt prompt, encodePrompt(context, *model, text));
    options.removeSpacePrefix = !prompt.continuesText;

    ProgressLine progress("Reading the prompt");
    host::AnswerCallbacks callbacks;
    callbacks.piece = [&output, &progress](const host::AnswerPiece& piece) {
        progress.clear();
        if (piece.text.empty()) return true;
        return output.json() ? output.writeJson({{"text", piece.text}}) : output.write(piece.text);
    };
    if (prompt.ids.size() > kShowProgressFrom) {
        callbacks.promptProgress = [&progress](std::size_t done, std::size_t total) {
            progress.report(done, total);
        };
    }
    LOADER_TRY(const host::Answer answer,
               model->answer(std::move(prompt.ids), options, callbacks, context.cancel));
    progress.clear();
    if (output.json()) {
        output.writeJson(answerJson(answer, model->report(), request));
    } else {
        // A pipe gets the text and nothing else; a terminal's prompt should not stick to it.
        const bool lineOpen = !answer.text.empty() && answer.text.back() != '\n';
        if (lineOpen && standardOutputIsTerminal()) output.write("\n");
        if (answer.error) output.error(*answer.error);
    }
    if (answer.error) return exitStatusOf(*answer.error);
    const bool cancelled = answer.stopReason == "cancelled" && !output.readerGone();
    return cancelled ? 130 : 0;
}

}  // namespace loader::cli
