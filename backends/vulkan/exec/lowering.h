// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From the operations of a program to the dispatches of a step. Knows layouts and kernels, no device: what it
// gives is recorded, counted and checked alike.
#pragma once

#include <compare>
#include <optional>
#include <span>

#include "backends/vulkan/exec/commands.h"
#include "backends/vulkan/exec/kernel_choice.h"
#include "backends/vulkan/exec/session_layout.h"
#include "backends/vulkan/exec/weight_layout.h"

namespace loader::vulkan {

/// What makes the commands of two steps differ.
struct StepShape {
    std::uint32_t tokens = 1;
    /// Items of several sequences: no workgroup of attention may take tokens together.
    bool mixed = false;
    /// Parts of the context that are attended to side by side.
    std::uint32_t splits = 1;
    auto operator<=>(const StepShape&) const = default;
};

/// The head's part of a step.
struct HeadShape {
    std::uint32_t rows = 1;
    /// Candidates that the device selects; 0 gives the logits themselves.
    std::uint32_t top = 0;
    std::uint32_t biases = 0;
    auto operator<=>(const HeadShape&) const = default;
};

/// Where the result of a head begins. @unit words of the result buffer
struct HeadResult {
    /// [rows][stride] logits, or pairs (token, logit).
    std::uint32_t stride = 0;
    /// [rows][sumsStride] pairs (greatest, sum), one for each chunk of logits.
    std::uint32_t sumsOffset = 0;
    std::uint32_t sumsStride = 0;
    std::uint32_t chunks = 0;
};

/// A session's adapter on the device: two matrices of floats.
struct PlacedAdapter {
    graph::TensorId target = graph::kNone;
    std::uint32_t rank = 0;
    float strength = 1.0f;
    /// Windows, numbered behind those of the weights: A, and one part of B for each window of the target.
    std::uint32_t a = 0;
    std::uint32_t firstB = 0;
};

struct LoweringContext {
    const graph::Program& program;
    const WeightLayout& weights;
    const SessionLayout& layout;
    const KernelChoice& kernels;
    const DeviceLimits& limits;
    backend::KvType kv = backend::KvType::F16;
    std::uint32_t contextTokens = 0;
    std::span<const PlacedAdapter> adapters{};
};

/// @thread confined
class Lowering {
public:
    explicit Lowering(const LoweringContext& context) : m_context(context) {}

    /// Brings the items, the ropes' rows and the rows of the entering slots from the upload buffer.
    CommandList inputs(const StepShape& shape, std::span<const graph::SlotId> entering);
    /// Everything of a segment but its head.
    CommandList segment(const graph::Segment& segment, const StepShape& shape);
    /// Gathers the wanted rows and computes their logits.
    CommandList head(const graph::HeadOp& op, const HeadShape& shape);
    /// Brings the leaving slots into the result.
    CommandList leaving(const StepShape& shape);

    HeadResult headResult(const HeadShape& shape) const;

private:
    /// Rows that a product reads: of a slot, or of the gathered rows of one.
    struct Input {
        graph::SlotId slot = graph::kNone;
        std::uint32_t tokens = 0;
        bool gathered = false;
        /// Parts of each token (experts); 1 where rows are not cut.
        std::uint32_t parts = 1;
        std::uint32_t partWidth = 0;
        /// Each token's own experts.
        bool routed = false;
        /// Goes through matvec.
        bool few() const { return routed || tokens <= KernelChoice::kVectorTokens; }
    };
    /// Where a product's rows go and what happens to them.
    struct Output {
        ArenaRows rows;
        bool accumulate = false;
        float scale = 1.0f;
        float softcap = 0.0f;
        std::uint32_t activation = LOADER_ACTIVATE_NONE;
        /// Rows of the weight in front of the first of this output.
        std::uint32_t firstRow = 0;
        std::uint32_t endRow = 0xFFFFFFFFu;
    };
    struct Routing {
        ArenaRows rows;
        std::uint32_t used = 0;
        std::uint32_t inPartStride = 0;
        std::uint32_t outPartStride = 0;
    };

    void lower(const graph::EmbedOp&) {}
    void lower(const graph::NormOp& op);
    void lower(const graph::QkvOp& op);
    void lower(const graph::RopeStoreOp& op);
    void lower(const graph::AttendOp& op);
    void lower(const graph::ProjectOp& op);
    void lower(const graph::GateUpOp& op);
    void lower(const graph::RouteOp& op);
    void lower(const graph::ExpertGateUpOp& op);
    void lower(const graph::ExpertDownOp& op);
    void lower(const graph::HeadOp&) {}

    static std::uint32_t activationNumber(graph::Activation activation);
    const ArenaRows& slot(graph::SlotId id) const { return m_context.layout.slots.at(id); }
    template <class Push>
    static DispatchCommand make(PipelineKey key, const Push& push, std::uint32_t x, std::uint32_t y,
                                std::uint32_t z = 1) {
        DispatchCommand dispatch;
        dispatch.pipeline = std::move(key);
        dispatch.groups = {x, y, z};
        dispatch.setPush(push);
        return dispatch;
    }
    /// A grid of `count` workgroups in x that may be more than the device allows in one direction.
    void spread(DispatchCommand& dispatch, std::uint32_t count) const;
    void normHeads(graph::SlotId id, std::uint32_t heads, std::uint32_t length, graph::TensorId weight,
                   float epsilon);
    /// W x for all windows of a matrix, with the adapters of it.
    void product(const graph::Linear& linear, const Input& input, const Output& output);
    void dense(const PlacedMatrix& matrix, const graph::Linear& linear, const Input& input,
               const Output& output);
    void addAdapters(graph::TensorId target, const Input& input, const Output& output);
    void floatProduct(std::uint32_t window, const ProductPush& push, std::vector<std::uint32_t> reads,
                      std::uint32_t writes);
    void pairProduct(const PlacedMatrix& up, const PlacedMatrix& gate, const Input& input,
                     const Output& output);
    void expertProduct(const PlacedMatrix& matrix, const PlacedMatrix* gate, const Input& input,
                       const Output& output, const Routing& routing);
    ProductPush pushOf(const PlacedMatrix& matrix, const Input& input, const Output& output);
    /// The rows that a product reads in the form it needs; quantises them where nobody has.
    ArenaRows formOf(const PlacedMatrix& matrix, const Input& input);
    bool canPair(const graph::Linear& gate, const graph::Linear& up) const;
    bool hasAdapter(graph::TensorId target) const;
    void activate(graph::Activation activation, const ArenaRows* gate, const ArenaRows& up,
                  const ArenaRows& out, std::uint32_t width);
    void topTokens(const HeadShape& shape);
    /// Emits dispatches that write `out`, and forgets the form of what they write.
    void run(std::vector<DispatchCommand> dispatches, std::vector<std::uint32_t> reads,
             std::vector<std::uint32_t> writes, double cost = 0.0);
    /// Regions beyond those of the arena.
    std::uint32_t stepRegion() const { return m_context.layout.regions; }
    std::uint32_t resultRegion() const { return m_context.layout.regions + 1; }
    std::uint32_t kvRegion(std::uint32_t layer) const { return m_context.layout.regions + 2 + layer; }

    LoweringContext m_context;
    CommandWriter m_writer;
    StepShape m_shape;
    /// Whose rows the integer form holds now.
    std::optional<Input> m_formed;
};

}  // namespace loader::vulkan
