// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The boundary between the application and a back end: four small interfaces, no Qt, nothing device-specific.
// The back end owns KV memory, kernels and scheduling; the core owns tokens, templates, sampling and
// knowledge of architectures. A test keeps this at most 200 lines. Why: docs/adr/0002-back-end-boundary.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backends/api/device_facts.h"
#include "core/engine/base/cancel_token.h"
#include "core/engine/base/result.h"
#include "core/engine/base/token.h"
#include "core/engine/graph/kv_type.h"
#include "core/engine/graph/program.h"

namespace loader::backend {

/// Changes with every incompatible change of this header; a plugin of another number is refused (B706).
inline constexpr int kApiVersion = 2;

using graph::KvType;

struct LoadOptions {
    /// Member threads of the team; 0 lets the back end choose (physical cores).
    unsigned threads = 0;
    /// The largest number of items that forward() computes in one step; longer batches are cut.
    unsigned batchTokens = 512;
    std::uint32_t contextTokens = 4096;
    unsigned sequences = 1;
    KvType kv = KvType::F16;
    /// Forces a lower instruction-set tier of the back end ("avx2"); empty takes the best.
    std::string tier;
};

/// A tensor's bytes in memory and, where they come straight from a file, their range for direct reads.
struct Weight {
    std::span<const std::byte> bytes;
    std::intptr_t descriptor = -1;
    std::uint64_t offset = 0;
};

/// Parallel to Program::weights. The caller keeps the memory alive as long as the model.
using Weights = std::span<const Weight>;

struct MemoryParts {
    std::uint64_t weights = 0;
    std::uint64_t kv = 0;
    std::uint64_t compute = 0;
    std::uint64_t output = 0;
    std::uint64_t total() const { return weights + kv + compute + output; }
};

/// Answered before anything is allocated.
struct PlanReport {
    /// One sentence for each thing the back end cannot do; empty means it can run the program.
    std::vector<std::string> unsupported;
    MemoryParts needed;
};

struct Progress {
    virtual ~Progress() = default;
    virtual void report(std::uint64_t doneBytes, std::uint64_t totalBytes) = 0;
};

/// What loading did, for the load report.
struct LoadEffects {
    MemoryParts used;
    std::string tier;
    unsigned threads = 0;
};

/// A low-rank change of one projection, W + strength × B A. @shape a [rank, columns], b [rows, rank]
struct Adapter {
    graph::TensorId target = graph::kNone;
    std::span<const float> a;
    std::span<const float> b;
    std::uint32_t rank = 0;
    float strength = 1.0f;
};

struct SessionOptions {
    std::uint32_t contextTokens = 4096;
    unsigned sequences = 1;
    KvType kv = KvType::F16;
    std::vector<Adapter> adapters;
};

/// One position of one sequence.
struct BatchItem {
    /// A token id, or kNoToken where `row` gives the carried slots of the first loaded segment.
    TokenId token = kNoToken;
    /// @shape [Program::carriedWidth(first loaded segment)]
    const float* row = nullptr;
    /// Position in the sequence; the first component counts tokens, the others serve multi-axis rotation.
    std::array<std::uint32_t, 4> position{};
    std::uint32_t sequence = 0;
    /// 0 is causal; items of one other group in one batch all see each other.
    std::uint32_t group = 0;
    bool wantsOutput = false;
};

enum class OutputKind : std::uint8_t {
    /// The slots carried out of the last loaded segment (or the input of the head).
    Hidden,
    /// The mean of the hidden states of each sequence's wanted items.
    Pooled,
    Logits,
    /// The best `top` tokens after `bias`, with the log-sum-exp of all logits.
    TopTokens,
};

struct TokenBias {
    TokenId token = 0;
    float bias = 0.0f;
};

struct OutputRequest {
    OutputKind kind = OutputKind::Logits;
    std::uint32_t top = 0;
    std::span<const TokenBias> bias;
};

struct TopToken {
    TokenId token = 0;
    float logit = 0.0f;
};

/// Results in the order of the wanted items; the buffers are reused from call to call.
struct ForwardOutput {
    /// Hidden, Pooled, Logits. @shape [wanted, rowWidth]
    std::vector<float> values;
    std::size_t rowWidth = 0;
    /// TopTokens, best first. @shape [wanted, top]
    std::vector<TopToken> top;
    /// TopTokens. @shape [wanted] @unit natural logarithm
    std::vector<float> logSumExp;
};

/// @thread confined to one thread at a time.
class Session {
public:
    virtual ~Session() = default;
    /// Appends a batch to the sequences; items of one sequence have consecutive positions from its end on.
    /// After a failure or cancellation the sequences are as they were before.
    /// @errors B708 wrong position, R902 context full, X002 cancelled, B704 device lost
    virtual Status forward(std::span<const BatchItem> batch, const OutputRequest& request, ForwardOutput& out,
                           CancelToken cancel) = 0;
    /// Forgets everything from position on. @return the length reached, which may be less (recurrent state);
    /// the length in front of the last forward() is always reached.
    virtual Result<std::uint32_t> truncate(std::uint32_t sequence, std::uint32_t position) = 0;
    virtual Status copy(std::uint32_t from, std::uint32_t to) = 0;
    /// Bytes that restore() of the same model and KV type accepts, as hostile input.
    virtual Status save(std::uint32_t sequence, std::vector<std::byte>& out) = 0;
    virtual Status restore(std::uint32_t sequence, std::span<const std::byte> saved) = 0;
};

/// @thread const after load; sessions may be opened from any thread.
class Model {
public:
    virtual ~Model() = default;
    virtual LoadEffects effects() const = 0;
    virtual Result<std::unique_ptr<Session>> openSession(const SessionOptions& options) = 0;
};

class Backend {
public:
    virtual ~Backend() = default;
    virtual std::string id() const = 0;
    virtual Result<std::vector<DeviceFacts>> devices() = 0;
    /// One device by id (empty: the first), of which not all need be listed (scripts). @errors X001 none
    virtual Result<DeviceFacts> device(const std::string& id) = 0;
    /// Concerns the segments alone that load() would be given. Without a device: what holds for each of
    /// them, asked before devices(), which may have to load drivers.
    virtual Result<PlanReport> plan(const graph::Program& program, std::span<const std::uint32_t> segments,
                                    const std::string& device, const LoadOptions& options) = 0;
    /// Loads the segments with these indices (ascending) of the program, which must outlive the model.
    virtual Result<std::unique_ptr<Model>> load(const graph::Program& program, Weights weights,
                                                std::span<const std::uint32_t> segments,
                                                const std::string& device, const LoadOptions& options,
                                                Progress* progress, CancelToken cancel) = 0;
};

}  // namespace loader::backend
