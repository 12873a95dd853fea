// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/model_harness.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace loader::test {

Result<std::unique_ptr<ModelHarness>> ModelHarness::load(const std::string& path, backend::Backend& backend,
                                                         const backend::LoadOptions& options) {
    auto harness = std::make_unique<ModelHarness>();
    LOADER_TRY(harness->m_file, gguf::ModelFile::open(path));
    LOADER_CHECK(harness->m_file->map());
    LOADER_TRY(arch::Lowered lowered, arch::lower(harness->m_file->metadata(), harness->m_file->tensors()));
    harness->m_program = std::move(lowered.program);
    for (const graph::WeightRef& weight : harness->m_program.weights) {
        const gguf::TensorInfo& tensor = harness->m_file->tensors()[weight.fileTensor];
        harness->m_weights.push_back({harness->m_file->tensorData(tensor), -1, tensor.offset});
    }
    std::vector<std::uint32_t> segments(harness->m_program.segments.size());
    std::iota(segments.begin(), segments.end(), 0u);
    LOADER_TRY(harness->m_model,
               backend.load(harness->m_program, harness->m_weights, segments, "", options, nullptr, {}));
    backend::SessionOptions session;
    session.contextTokens = options.contextTokens;
    session.sequences = options.sequences;
    session.kv = options.kv;
    LOADER_TRY(harness->m_session, harness->m_model->openSession(session));
    return harness;
}

Status ModelHarness::reset() {
    LOADER_TRY(m_length, m_session->truncate(0, 0));
    return {};
}

Result<std::vector<std::vector<float>>> ModelHarness::logits(std::span<const TokenId> tokens, bool all) {
    std::vector<backend::BatchItem> batch(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        batch[i].token = tokens[i];
        batch[i].position[0] = m_length + static_cast<std::uint32_t>(i);
        batch[i].wantsOutput = all || i + 1 == tokens.size();
    }
    backend::ForwardOutput out;
    LOADER_CHECK(m_session->forward(batch, {}, out, {}));
    m_length += static_cast<std::uint32_t>(tokens.size());
    std::vector<std::vector<float>> rows;
    for (std::size_t begin = 0; begin < out.values.size(); begin += out.rowWidth) {
        const auto first = out.values.begin() + static_cast<std::ptrdiff_t>(begin);
        rows.emplace_back(first, first + static_cast<std::ptrdiff_t>(out.rowWidth));
    }
    return rows;
}

double cosine(std::span<const float> a, std::span<const float> b) {
    double ab = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += double{a[i]} * b[i];
        aa += double{a[i]} * a[i];
        bb += double{b[i]} * b[i];
    }
    return ab / std::sqrt(aa * bb);
}

std::size_t argmax(std::span<const float> values) {
    return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

double margin(std::span<const float> values) {
    float best = -INFINITY;
    float second = -INFINITY;
    for (float value : values) {
        if (value > best) {
            second = best;
            best = value;
        } else {
            second = std::max(second, value);
        }
    }
    return double{best} - second;
}

}  // namespace loader::test
