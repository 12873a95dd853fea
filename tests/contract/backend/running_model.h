// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Back ends and tiny models as the contract tests see them: a list of subjects, a variant's program and
// weights, and a session that keeps count of positions.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/api/backend.h"
#include "tests/support/model_parts.h"

namespace loader::test {

/// A back end under test.
struct Subject {
    std::string name;
    std::string backend;
    std::string tier;
    /// Scripted back ends only keep books.
    bool computes = true;
    std::unique_ptr<backend::Backend> make() const;
    /// Whether a test with many rows takes only some of this subject: a device in software compiles for each
    /// model. The long tests take all.
    bool takesFew() const;
};

/// The oracle, the CPU and the first Vulkan device on the tiers that they have, the scripted back end.
std::span<const Subject> subjects();
/// Further tiers of devices that round floats to halves or bytes: for tests with tolerances of their own.
std::span<const Subject> roundingSubjects();
const Subject& oracle();
const Subject& subjectNamed(const std::string& name);

/// A model that is not loaded anywhere.
struct Source {
    ModelParts parts;
    graph::Program program;
    std::vector<backend::Weight> weights;
};
using SourcePointer = std::shared_ptr<const Source>;

Result<SourcePointer> sourceOf(ModelParts parts);
/// Made once per process for each variant and type.
Result<SourcePointer> sourceOf(std::string_view variant, quant::TensorType type = quant::TensorType::F32);
/// The same weights with every attention layer limited to a window.
SourcePointer withWindow(const SourcePointer& source, std::uint32_t window);

struct RunOptions {
    unsigned threads = 2;
    unsigned batchTokens = 512;
    std::uint32_t context = 128;
    unsigned sequences = 1;
    backend::KvType kv = backend::KvType::F32;
    std::vector<backend::Adapter> adapters;
    /// All where empty.
    std::vector<std::uint32_t> segments;
};

/// Segments from one on, up to the next part's, on a device of a back end under test.
struct PartSpec {
    std::string subject;
    std::uint32_t firstSegment = 0;
    std::string device;
};

/// One vector per wanted item.
using Rows = std::vector<std::vector<float>>;

/// @thread confined
class RunningModel {
public:
    static Result<std::unique_ptr<RunningModel>> open(const Subject& subject, SourcePointer source,
                                                      const RunOptions& options = {});

    /// The same on several back ends. The options' segments are left out of account.
    static Result<std::unique_ptr<RunningModel>> openSplit(std::span<const PartSpec> parts,
                                                           SourcePointer source,
                                                           const RunOptions& options = {});

    backend::Session& session() { return *m_session; }
    const Source& source() const { return *m_source; }
    std::uint32_t length(std::uint32_t sequence = 0) const { return m_lengths[sequence]; }
    backend::LoadEffects effects() const { return m_model->effects(); }

    /// Evaluates tokens behind a sequence. @return one row per token
    Result<Rows> extend(std::span<const TokenId> tokens, std::uint32_t sequence = 0,
                        const backend::OutputRequest& request = {});
    /// Evaluates items whose positions are filled in here. @return one row per wanted item
    Result<Rows> evaluate(std::vector<backend::BatchItem> items, const backend::OutputRequest& request = {},
                          CancelToken cancel = {});
    Status truncate(std::uint32_t sequence, std::uint32_t position);
    Status copy(std::uint32_t from, std::uint32_t to);
    Status restore(std::uint32_t sequence, std::span<const std::byte> saved, std::uint32_t length);
    const backend::ForwardOutput& out() const { return m_out; }

private:
    Status start(const RunOptions& options);

    SourcePointer m_source;
    std::vector<std::unique_ptr<backend::Backend>> m_backends;
    std::unique_ptr<backend::Model> m_model;
    std::unique_ptr<backend::Session> m_session;
    std::vector<std::uint32_t> m_lengths;
    backend::ForwardOutput m_out;
};

/// Ids that look like nothing in particular; the same seed gives the same.
std::vector<TokenId> randomTokens(std::size_t count, std::uint64_t seed, TokenId vocabulary = 261);
std::vector<backend::BatchItem> itemsOf(std::span<const TokenId> tokens, std::uint32_t sequence = 0);

/// How far results are apart.
struct Distance {
    /// The smallest of all rows.
    double cosine = 1.0;
    /// The greatest difference of two numbers, in units of the standard deviation of the expected row.
    double worst = 0.0;
    bool sameShape = true;
};
Distance distance(const Rows& measured, const Rows& expected);

}  // namespace loader::test
