// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Runs steps on the device: fills in what the host says, submits recorded commands in portions that no
// watchdog minds, reads what came out.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <vector>

#include "backends/vulkan/exec/recorder.h"

namespace loader::vulkan {

/// @thread confined to its session
class StepRunner {
public:
    /// @errors R901, B702, B704
    static Result<std::unique_ptr<StepRunner>> create(LoadedParts& parts,
                                                      const backend::SessionOptions& options);

    /// Tokens that one step computes at most.
    std::uint32_t stepTokens() const { return m_layout.tokens; }
    /// Computes items whose positions were admitted; appends to out.
    /// @errors X002, R901, B703, B704
    Status step(std::span<const backend::BatchItem> items, std::span<const std::uint32_t> visibleEnds,
                const backend::OutputRequest& request, backend::ForwardOutput& out, CancelToken cancel);
    const SessionBuffers& buffers() const { return *m_buffers; }
    /// So far: tests compare it with what the program has.
    std::uint64_t dispatches() const { return m_dispatches; }

private:
    using Body = std::vector<RecordedList>;
    struct KnownBody {
        StepShape shape;
        Body lists;
    };
    struct KnownHead {
        HeadShape shape;
        RecordedList list;
    };

    StepRunner(LoadedParts& parts, const backend::SessionOptions& options)
        : m_parts(parts), m_options(options) {}
    Status open();
    void keepPipelines();
    LoweringContext context() const;
    StepShape shapeOf(std::span<const backend::BatchItem> items,
                      std::span<const std::uint32_t> visibleEnds) const;
    void writeItems(std::span<const backend::BatchItem> items, std::span<const std::uint32_t> visibleEnds);
    void readRopes();
    void writeRopes(std::span<const backend::BatchItem> items);
    void writeInputs(std::span<const backend::BatchItem> items);
    void embed(const graph::EmbedOp& op, const backend::BatchItem& item, float* row);
    template <class Value>
    std::span<Value> uploadWords(std::uint64_t word, std::uint64_t count) const;
    Result<const Body*> body(const StepShape& shape, const CancelToken& cancel);
    Result<const RecordedList*> head(const HeadShape& shape, const CancelToken& cancel);
    Status submit(std::span<const RecordedList* const> lists, bool few, const CancelToken& cancel);
    Status readHidden(std::span<const backend::BatchItem> items, backend::ForwardOutput& out);
    Status runHead(std::vector<const RecordedList*> lists, std::span<const backend::BatchItem> items,
                   const backend::OutputRequest& request, backend::ForwardOutput& out,
                   const CancelToken& cancel);
    Status readHead(const HeadShape& shape, const backend::OutputRequest& request,
                    backend::ForwardOutput& out);
    static void appendSums(std::span<const float> sums, backend::ForwardOutput& out);

    LoadedParts& m_parts;
    backend::SessionOptions m_options;
    SessionLayout m_layout;
    std::unique_ptr<SessionBuffers> m_buffers;
    std::unique_ptr<Recorder> m_recorder;
    /// The most recently used in front.
    std::list<KnownBody> m_bodies;
    std::list<KnownHead> m_heads;
    std::vector<graph::SlotId> m_entering;
    const graph::EmbedOp* m_embed = nullptr;
    const graph::HeadOp* m_headOp = nullptr;
    std::vector<float> m_row;
    /// Divisors of each pair of the ropes that are used.
    std::map<graph::RopeId, std::vector<float>> m_ropeFactors;
    /// How much of a list's cost the device does in a second, for few tokens and for many.
    double m_rates[2];
    std::uint64_t m_dispatches = 0;
};

}  // namespace loader::vulkan
