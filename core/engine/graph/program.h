// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A model lowered to a flat list of macro-operations: what a back end plans, loads and runs. Built once per
// model; symbolic only in the number of tokens and the length of the KV cache.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/engine/graph/ops.h"
#include "core/engine/quant/tensor_type.h"

namespace loader::graph {

/// A tensor of the file as the program uses it. @shape [slices, rows, columns], columns contiguous
struct WeightRef {
    std::string name;
    quant::TensorType type = quant::TensorType::F32;
    std::uint64_t columns = 0;
    std::uint64_t rows = 1;
    std::uint64_t slices = 1;
    /// Bytes of one row; a multiple of the type's block.
    std::uint64_t rowBytes = 0;
    std::uint64_t bytes = 0;
    /// Index into the model file's tensor table.
    std::uint32_t fileTensor = 0;
};

/// One activation vector per token.
struct Slot {
    std::string name;
    std::uint32_t width = 0;
};

/// Which components of a head rotate together: (2i, 2i+1) or (i, i + dims/2).
enum class RopePairs : std::uint8_t { Adjacent, Halves };
std::string_view nameOf(RopePairs pairs);

/// Rotary embedding with every kind of scaling already folded into the frequencies.
/// Angle of pair i at position p: p × frequencies[i] / factors[i].
struct Rope {
    RopePairs pairs = RopePairs::Adjacent;
    /// Radians per position for each pair. @shape [dims / 2]
    std::vector<double> frequencies;
    /// Multiplies cosine and sine (YaRN).
    double magnitude = 1.0;
    /// Per-pair divisors stored in the file. @shape [dims / 2], or none
    TensorId factors = kNone;
    std::uint32_t dims() const { return static_cast<std::uint32_t>(frequencies.size()) * 2; }
};

/// What the KV cache keeps for one attention layer.
struct KvLayer {
    std::uint32_t layer = 0;
    std::uint32_t kvHeads = 0;
    std::uint32_t keyLength = 0;
    std::uint32_t valueLength = 0;
    /// A token sees itself and window - 1 earlier ones; 0 means all.
    std::uint32_t window = 0;
};

enum class SegmentKind : std::uint8_t { Embedding, Mixer, FeedForward, Head };
std::string_view nameOf(SegmentKind kind);

/// The unit of placement on a back end.
struct Segment {
    SegmentKind kind = SegmentKind::Mixer;
    /// Layer number; 0 for embedding and head.
    std::uint32_t layer = 0;
    std::vector<Op> ops;
    /// Slots that must cross the border in front of this segment, in order. Derived by finish().
    std::vector<SlotId> carried;
};

struct Program {
    std::string architecture;
    std::uint32_t layers = 0;
    std::uint32_t width = 0;
    std::uint32_t vocabulary = 0;
    std::uint32_t trainedContext = 0;
    /// No position at or beyond this can be computed (learned positions); 0 means no such limit.
    std::uint32_t positionLimit = 0;
    std::vector<WeightRef> weights;
    std::vector<Slot> slots;
    std::vector<Rope> ropes;
    std::vector<KvLayer> kvLayers;
    std::vector<Segment> segments;

    /// Sum of the widths of the slots that cross the border in front of a segment.
    std::uint32_t carriedWidth(std::size_t segment) const;
    /// Computes what crosses each border; called once when the program is complete.
    void finish();
};

/// Slots that an operation reads and writes; accumulating into a slot is both.
struct SlotUse {
    std::vector<SlotId> reads;
    std::vector<SlotId> writes;
};
SlotUse slotUse(const Op& op);
/// Every weight that an operation uses.
std::vector<TensorId> weightUse(const Op& op, const Program& program);
/// Bytes of the weights that the segments with these indices use, each counted once.
std::uint64_t weightBytes(const Program& program, std::span<const std::uint32_t> segments);

/// The program as text, one line per operation; what `inspect --program` prints and golden tests compare.
std::string dump(const Program& program);

}  // namespace loader::graph
