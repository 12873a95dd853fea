// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/model_access.h"

#include "core/app/benchmark/usage_recorder.h"
#include "core/app/config/setting_effects.h"
#include "core/app/diagnostics/load_recorder.h"
#include "core/cli/bench_records.h"
#include "core/cli/configuration.h"
#include "core/cli/planning.h"
#include "core/engine/gguf/keys.h"
#include "core/host/recommended_sampling.h"

namespace loader::cli {
namespace {

class InProcess final : public ModelAccess {
public:
    explicit InProcess(Loaded loaded) : m_loaded(std::move(loaded)), m_generator(*m_loaded.model) {}

    std::string name() const override { return m_loaded.model->name(); }
    bool hasTemplate() const override {
        return m_loaded.model->file().metadata().contains(gguf::keys::kChatTemplate);
    }
    sampling::SamplingParameters recommendedSampling() const override {
        return host::recommendedSampling(m_loaded.model->file().metadata());
    }
    const protocol::LoadReport& report() const override { return m_loaded.model->report(); }
    Result<std::vector<TokenId>> chatPrompt(const chat::Json& messages, CancelToken cancel) override {
        LOADER_TRY(const host::ModelText* words, m_loaded.model->text());
        LOADER_TRY(const chat::Template* compiled, m_loaded.model->chatTemplate());
        return host::chatPrompt(*compiled, words->tokenizer, messages, cancel);
    }
    Result<std::vector<TokenId>> rawPrompt(std::string_view text,
                                           const host::RawTextOptions& options) override {
        LOADER_TRY(const host::ModelText* words, m_loaded.model->text());
        return host::rawPrompt(words->tokenizer, text, options);
    }
    Result<protocol::Answer> answer(std::vector<TokenId> prompt, const protocol::AnswerOptions& options,
                                    const protocol::AnswerCallbacks& callbacks, CancelToken cancel) override {
        return m_generator.answer(std::move(prompt), options, callbacks, cancel);
    }

private:
    Loaded m_loaded;
    host::Generator m_generator;
};

class InWorker final : public ModelAccess {
public:
    InWorker(std::unique_ptr<app::LoadRecorder> recorder, std::unique_ptr<app::ModelHost> model)
        : m_recorder(std::move(recorder)), m_model(std::move(model)) {}

    std::string name() const override { return m_model->model().name; }
    bool hasTemplate() const override { return m_model->model().hasTemplate; }
    sampling::SamplingParameters recommendedSampling() const override { return m_model->model().recommended; }
    const protocol::LoadReport& report() const override { return m_model->report(); }
    Result<std::vector<TokenId>> chatPrompt(const chat::Json& messages, CancelToken cancel) override {
        return m_model->prepare({protocol::PromptKind::Chat, true, true, {}}, messages.dump(), cancel);
    }
    Result<std::vector<TokenId>> rawPrompt(std::string_view text,
                                           const host::RawTextOptions& options) override {
        return m_model->prepare({protocol::PromptKind::Raw, options.addSpecial, options.parseSpecial, {}},
                                text, {});
    }
    Result<protocol::Answer> answer(std::vector<TokenId> prompt, const protocol::AnswerOptions& options,
                                    const protocol::AnswerCallbacks& callbacks, CancelToken cancel) override {
        return m_model->generate(prompt, options, callbacks, cancel);
    }

private:
    std::unique_ptr<app::LoadRecorder> m_recorder;
    std::unique_ptr<app::ModelHost> m_model;
};

/// Remembers how fast each answer was.
class Remembered final : public ModelAccess {
public:
    Remembered(std::unique_ptr<ModelAccess> model, const host::LoadRequest& request)
        : m_model(std::move(model)), m_recorder(app::History(dataFolder()), LOADER_VERSION, request) {}

    std::string name() const override { return m_model->name(); }
    bool hasTemplate() const override { return m_model->hasTemplate(); }
    sampling::SamplingParameters recommendedSampling() const override {
        return m_model->recommendedSampling();
    }
    const protocol::LoadReport& report() const override { return m_model->report(); }
    Result<std::vector<TokenId>> chatPrompt(const chat::Json& messages, CancelToken cancel) override {
        return m_model->chatPrompt(messages, cancel);
    }
    Result<std::vector<TokenId>> rawPrompt(std::string_view text,
                                           const host::RawTextOptions& options) override {
        return m_model->rawPrompt(text, options);
    }
    Result<protocol::Answer> answer(std::vector<TokenId> prompt, const protocol::AnswerOptions& options,
                                    const protocol::AnswerCallbacks& callbacks, CancelToken cancel) override {
        protocol::AnswerCallbacks watched = callbacks;
        watched.piece = [this, &callbacks](const protocol::AnswerPiece& piece) {
            if (piece.token) m_recorder.token();
            return !callbacks.piece || callbacks.piece(piece);
        };
        m_recorder.begin(report());
        auto answer = m_model->answer(std::move(prompt), options, watched, cancel);
        if (answer.ok())
            m_recorder.end(*answer, report());
        else
            m_recorder.abandon();
        return answer;
    }

private:
    std::unique_ptr<ModelAccess> m_model;
    app::UsageRecorder m_recorder;
};

Result<std::unique_ptr<ModelAccess>> openPlain(Context& context, const host::LoadRequest& request) {
    if (context.arguments.has("in-process")) {
        LOADER_TRY(Loaded loaded, loadModel(context, request));
        return std::unique_ptr<ModelAccess>(std::make_unique<InProcess>(std::move(loaded)));
    }
    LOADER_CHECK(checkMemoryLimit(context, request));
    LOADER_TRY(const app::EffectiveSettings settings, effectiveSettings(context, request.path));
    host::LoadRequest wanted = request;
    app::HostOptions options{workerOptions(), std::nullopt, probeMemory(false), {}, {}};
    options.policy = app::chainPolicyOf(settings, wanted);
    ProgressLine progress("Loading");
    auto recorder = std::make_unique<app::LoadRecorder>(app::LoadLog(logFolder()), "gguf " LOADER_VERSION);
    options.observer = recorder->observer();
    const auto show = [&progress](std::uint64_t done, std::uint64_t total) { progress.report(done, total); };
    LOADER_TRY(auto model, app::ModelHost::load(wanted, options, show, context.cancel));
    progress.clear();
    noteReport(context, model->report(), request);
    return std::unique_ptr<ModelAccess>(std::make_unique<InWorker>(std::move(recorder), std::move(model)));
}

}  // namespace

Result<std::unique_ptr<ModelAccess>> openModel(Context& context, const host::LoadRequest& request) {
    LOADER_TRY(auto model, openPlain(context, request));
    return std::unique_ptr<ModelAccess>(std::make_unique<Remembered>(std::move(model), request));
}

}  // namespace loader::cli
