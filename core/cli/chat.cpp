// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf chat: turns on the terminal or from a pipe. The KV cache stays between turns; what a turn's prompt has
// in common with it is not computed again.

#include <cerrno>
#include <cstdio>

#include "core/cli/configuration.h"
#include "core/cli/model_access.h"
#include "core/engine/gguf/keys.h"

namespace loader::cli {
namespace {

constexpr const char* kHelp =
    "/help           this text\n"
    "/clear          forget the conversation\n"
    "/system TEXT    set the system message and forget the conversation\n"
    "/exit           leave (so does the end of input)\n";

/// One line without its end; false at the end of input or when interrupted.
bool readLine(std::string& line) {
    line.clear();
    int character = 0;
    while ((character = std::fgetc(stdin)) != EOF) {
        if (character == '\n') return true;
        line.push_back(static_cast<char>(character));
    }
    return !line.empty();
}

class Chat {
public:
    Chat(Context& context, ModelAccess& model, const host::LoadRequest& request, host::AnswerOptions options,
         std::string system)
        : m_context(context),
          m_model(model),
          m_request(request),
          m_options(std::move(options)),
          m_system(std::move(system)) {
        forget();
    }

    /// @return the exit status
    Result<int> talk();

private:
    void forget();
    /// @return whether the chat goes on
    bool command(const std::string& line);
    Status turn(const std::string& line);

    Context& m_context;
    ModelAccess& m_model;
    const host::LoadRequest& m_request;
    host::AnswerOptions m_options;
    std::string m_system;
    chat::Json m_messages;
    bool m_cancelled = false;
};

void Chat::forget() {
    m_messages = chat::Json::array();
    if (!m_system.empty()) m_messages.push_back(chat::makeMessage("system", m_system));
}

bool Chat::command(const std::string& line) {
    Output& output = m_context.output;
    if (line == "/exit" || line == "/quit") return false;
    if (line == "/clear") {
        forget();
        output.note("The conversation is forgotten.");
    } else if (line.starts_with("/system")) {
        const std::size_t start = line.find_first_not_of(' ', std::string_view("/system").size());
        m_system = start == std::string::npos ? std::string() : line.substr(start);
        forget();
        output.note("The system message is set; the conversation is forgotten.");
    } else {
        output.note(line == "/help" ? kHelp : "There is no command " + line + ".\n" + kHelp);
    }
    return true;
}

Status Chat::turn(const std::string& line) {
    Output& output = m_context.output;
    chat::Json messages = m_messages;
    messages.push_back(chat::makeMessage("user", line));
    LOADER_TRY(std::vector<TokenId> prompt, m_model.chatPrompt(messages, m_context.cancel));
    host::AnswerCallbacks callbacks;
    callbacks.piece = [&output](const host::AnswerPiece& piece) {
        if (piece.text.empty()) return true;
        return output.json() ? output.writeJson({{"text", piece.text}}) : output.write(piece.text);
    };
    ProgressLine progress("Reading the prompt");
    if (prompt.size() > 512) {
        callbacks.promptProgress = [&progress](std::size_t done, std::size_t total) {
            if (done < total) progress.report(done, total);
            if (done >= total) progress.clear();
        };
    }
    LOADER_TRY(const host::Answer answer,
               m_model.answer(std::move(prompt), m_options, callbacks, m_context.cancel));
    if (output.json())
        output.writeJson(answerJson(answer, m_model.report(), m_request));
    else
        output.write("\n");
    m_cancelled = answer.stopReason == "cancelled";
    if (answer.error) return *answer.error;
    m_messages = std::move(messages);
    m_messages.push_back(chat::makeMessage("assistant", answer.text));
    return {};
}

Result<int> Chat::talk() {
    const bool prompts = standardInputIsTerminal();
    std::string line;
    while (true) {
        if (prompts) {
            std::fputs("> ", stderr);
            std::fflush(stderr);
        }
        if (!readLine(line)) break;
        if (line.empty()) continue;
        if (line.front() == '/') {
            if (!command(line)) return 0;
            continue;
        }
        auto done = turn(line);
        if (m_context.output.readerGone()) return 0;
        if (m_cancelled) return 130;
        // A turn that cannot be done (too long, refused by the template) does not end a talk between people
        // and models; a pipe has nobody who would read on.
        if (!done.ok() && (!prompts || done.error().code() == Errc::F801)) return std::move(done).error();
        if (!done.ok()) m_context.output.error(done.error());
    }
    return m_context.cancel.cancelled() ? 130 : 0;
}

}  // namespace

Result<int> chatCommand(Context& context) {
    LOADER_CHECK(answerOptions(context, {}));  // a wrong option is told before a model is loaded
    LOADER_TRY(const host::LoadRequest request, loadRequest(context));
    LOADER_TRY(const auto model, openModel(context, request));
    LOADER_TRY(host::AnswerOptions options, answerOptions(context, model->recommendedSampling()));
    if (!model->hasTemplate()) return Error(Errc::J413, {}, std::string(gguf::keys::kChatTemplate));
    options.removeSpacePrefix = true;
    if (standardInputIsTerminal()) context.output.note(model->name() + ". /help lists commands.");
    LOADER_TRY(std::string system, systemPrompt(context));
    Chat chat(context, *model, request, std::move(options), std::move(system));
    return chat.talk();
}

}  // namespace loader::cli
