// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A model file on a back end, without host or command line: for tests that compare logits.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/api/backend.h"
#include "core/engine/arch/lower.h"
#include "core/engine/gguf/model_file.h"

namespace loader::test {

/// @thread confined
class ModelHarness {
public:
    /// Opens, lowers and loads all segments on the back end.
    static Result<std::unique_ptr<ModelHarness>> load(const std::string& path, backend::Backend& backend,
                                                      const backend::LoadOptions& options = {});

    const gguf::ModelFile& file() const { return *m_file; }
    const graph::Program& program() const { return m_program; }
    backend::Session& session() { return *m_session; }
    backend::Model& model() { return *m_model; }
    /// Same session, empty.
    Status reset();

    /// Evaluates tokens at the end of sequence 0. @return logits of every token, or of the last. @shape
    /// [tokens][vocabulary]
    Result<std::vector<std::vector<float>>> logits(std::span<const TokenId> tokens, bool all = true);

private:
    std::unique_ptr<gguf::ModelFile> m_file;
    graph::Program m_program;
    std::vector<backend::Weight> m_weights;
    std::unique_ptr<backend::Model> m_model;
    std::unique_ptr<backend::Session> m_session;
    std::uint32_t m_length = 0;
};

/// 1 for the same direction. NaN where a value is.
double cosine(std::span<const float> a, std::span<const float> b);
/// Index of the greatest, the lowest of equals.
std::size_t argmax(std::span<const float> values);
/// Greatest minus second greatest.
double margin(std::span<const float> values);

}  // namespace loader::test
