// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A model that is ready to answer: file, program, vocabulary, template and one open session, found by walking
// the chain of back ends until one of them gave a test token.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backends/api/backend.h"
#include "core/engine/arch/lower.h"
#include "core/engine/chat/template.h"
#include "core/engine/gguf/model_file.h"
#include "core/engine/text/tokenizer.h"
#include "core/host/backend_registry.h"
#include "core/host/link_loader.h"
#include "core/host/model_weights.h"
#include "core/protocol/load_report.h"

namespace loader::host {

/// The word list and all that reads it. @thread const
struct ModelText {
    std::shared_ptr<const text::Vocabulary> vocabulary;
    text::Tokenizer tokenizer;
    explicit ModelText(std::shared_ptr<const text::Vocabulary> words)
        : vocabulary(words), tokenizer(std::move(words)) {}
};

/// Nothing where the file has no word list at all (use by token id only). @errors T201 to T210
Result<std::unique_ptr<ModelText>> readModelText(const gguf::Metadata& metadata);
/// @errors J413 none, J401 … J412
Result<chat::Template> compileModelTemplate(const gguf::Metadata& metadata);

/// @thread confined to one thread.
class LoadedModel {
public:
    /// Walks the chain: the back ends that the request allows, their devices, and on a device without enough
    /// memory fewer layers, until a test token comes out. A request that names back end, device and layers
    /// has one link. The registry must outlive the model.
    /// @errors those of ModelFile, lower() and Vocabulary; B701 … B707; M140, R901; X002; X001 a context that
    ///         the model cannot have
    static Result<std::unique_ptr<LoadedModel>> load(const LoadRequest& request, BackendRegistry& registry,
                                                     backend::Progress* progress = nullptr,
                                                     CancelToken cancel = {});
    /// The same with a file that is open already.
    static Result<std::unique_ptr<LoadedModel>> load(std::unique_ptr<gguf::ModelFile> file,
                                                     const LoadRequest& request, BackendRegistry& registry,
                                                     backend::Progress* progress = nullptr,
                                                     CancelToken cancel = {});
    ~LoadedModel();

    const gguf::ModelFile& file() const { return *m_file; }
    const graph::Program& program() const { return m_program; }
    /// @errors T201 where the model has no word list
    Result<const ModelText*> text() const;
    bool hasText() const { return m_text != nullptr; }
    /// Compiled at the first call. @errors as compileModelTemplate
    Result<const chat::Template*> chatTemplate();

    backend::Session& session() { return *m_session; }
    const LoadRequest& request() const { return m_request; }
    const LoadReport& report() const { return m_report; }
    std::uint32_t contextTokens() const { return m_report.contextTokens; }
    std::uint32_t batchTokens() const { return m_request.batchTokens; }
    /// The model's own name, or that of its file.
    std::string name() const;

    /// F801 once the file changed or a page of it was missing; what was computed then is worthless.
    Status checkDamage() const;
    Status checkUnchanged() const { return m_file->checkUnchanged(); }

private:
    LoadedModel() = default;
    Status open(backend::Progress* progress, CancelToken cancel);
    Status chooseContext();
    Status walkChain(BackendRegistry& registry, backend::Progress* progress, CancelToken cancel);
    Status tryBackend(LinkLoader& loader, BackendRegistry& registry, const std::string& id,
                      backend::Progress* progress, CancelToken cancel);
    Status tryDevice(LinkLoader& loader, ChainLink link, backend::Progress* progress, CancelToken cancel);
    Status tryLink(LinkLoader& loader, const ChainLink& link, backend::Progress* progress,
                   CancelToken cancel);
    void take(const ChainLink& link, LoadedLink loaded);
    Error note(const Error& error, const std::string& id, const std::string& device, std::uint32_t layers,
               const char* result);
    Status testToken(backend::Session& session, CancelToken cancel) const;

    LoadRequest m_request;
    LoadReport m_report;
    // In the order of dependence: what comes later refers to what comes before.
    std::unique_ptr<gguf::ModelFile> m_file;
    graph::Program m_program;
    std::unique_ptr<ModelText> m_text;
    std::optional<chat::Template> m_template;
    std::unique_ptr<ModelWeights> m_weights;
    std::unique_ptr<backend::Model> m_model;
    std::unique_ptr<backend::Session> m_session;
};

}  // namespace loader::host
