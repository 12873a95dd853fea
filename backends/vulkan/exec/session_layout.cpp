// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/session_layout.h"

#include <algorithm>

namespace loader::vulkan {
namespace {

using graph::kNone;
using graph::SlotId;

/// Rows begin at multiples of this many words: whole blocks, and whole lines of any device's cache.
constexpr std::uint32_t kRowStep = 32;

class ArenaBuilder {
public:
    ArenaBuilder(const graph::Program& program, SessionLayout& layout)
        : m_program(program), m_layout(layout) {}

    ArenaRows rows(std::uint32_t width, std::uint32_t count) {
        ArenaRows rows;
        rows.region = m_layout.regions++;
        if (width == 0) return rows;
        rows.stride = roundUp(width, kRowStep);
        rows.offset = static_cast<std::uint32_t>(m_layout.arenaWords);
        m_layout.arenaWords += std::uint64_t{rows.stride} * count;
        return rows;
    }
    void slot(SlotId id) {
        if (id == kNone || m_layout.slots.contains(id)) return;
        m_layout.slots[id] = rows(m_program.slots[id].width, m_layout.tokens);
    }

    void add(const graph::EmbedOp&) {}
    void add(const graph::NormOp&) {}
    void add(const graph::QkvOp& op) { projected(m_program.slots[op.in].width); }
    void add(const graph::RopeStoreOp& op) {
        if (op.rope != kNone) m_layout.ropes[op.rope] = 0;
    }
    void add(const graph::AttendOp& op) {
        const graph::KvLayer& kv = m_program.kvLayers[op.kvLayer];
        m_attention = std::max(m_attention, op.heads * kMostSplits * (kv.valueLength + 2));
    }
    void add(const graph::ProjectOp& op) { projected(m_program.slots[op.in].width); }
    void add(const graph::GateUpOp& op) {
        projected(m_program.slots[op.in].width);
        m_gate = std::max(m_gate, m_program.slots[op.out].width);
    }
    void add(const graph::RouteOp& op) {
        projected(m_program.slots[op.in].width);
        m_scores = std::max(m_scores, op.experts);
    }
    void add(const graph::ExpertGateUpOp& op) {
        projected(m_program.slots[op.in].width);
        m_gate = std::max(m_gate, m_program.slots[op.out].width);
    }
    void add(const graph::ExpertDownOp& op) {
        // Each part is quantised by itself, from a whole block on.
        const auto columns = static_cast<std::uint32_t>(m_program.weights[op.down].columns);
        projected(roundUp(columns, kRowStep) * op.used);
        m_parts = std::max(m_parts, m_program.slots[op.out].width * op.used);
    }
    void add(const graph::HeadOp& op) {
        projected(m_program.slots[op.in].width);
        m_head = true;
    }

    void finish(std::uint32_t adapterRank) {
        const std::uint32_t tokens = m_layout.tokens;
        m_layout.form = rows(m_widest / 32 * kFormWords, tokens);
        m_layout.gate = rows(m_gate, tokens);
        m_layout.scores = rows(m_scores, tokens);
        m_layout.expertParts = rows(m_parts, tokens);
        m_layout.attentionParts = rows(m_attention, std::min(tokens, kSplitTokens));
        m_layout.adapter = rows(adapterRank, tokens);
        const std::uint32_t headRows = m_head ? std::min(tokens, kHeadRows) : 0;
        const std::uint32_t chunks = divideUp(m_program.vocabulary, kTopChunk);
        m_layout.logits = rows(m_head ? m_program.vocabulary : 0, headRows);
        for (ArenaRows& candidates : m_layout.candidates)
            candidates = rows(m_head ? 2 * kMostTop * chunks : 0, headRows);
        // Logits, or pairs and sums of each chunk, or rows of the leaving slots.
        const std::uint64_t head = std::uint64_t{headRows} * roundUp(m_program.vocabulary, kRowStep) +
                                   std::uint64_t{headRows} * (2 * kMostTop + 2 * chunks);
        const std::uint64_t hidden = std::uint64_t{tokens} * m_layout.leavingWidth;
        m_layout.resultWords = std::max<std::uint64_t>({m_head ? head : 0, hidden, 1});
    }

private:
    void projected(std::uint32_t columns) { m_widest = std::max(m_widest, roundUp(columns, kRowStep)); }

    const graph::Program& m_program;
    SessionLayout& m_layout;
    std::uint32_t m_widest = 0;
    std::uint32_t m_gate = 0;
    std::uint32_t m_scores = 0;
    std::uint32_t m_parts = 0;
    std::uint32_t m_attention = 0;
    bool m_head = false;
};

void layStep(const graph::Program& program, SessionLayout& layout, const DeviceLimits& limits) {
    const auto words = [&layout](std::uint64_t count) {
        const auto at = static_cast<std::uint32_t>(layout.stepWords);
        layout.stepWords += count;
        return at;
    };
    layout.itemsOffset = words(std::uint64_t{layout.tokens} * (sizeof(StepItem) / sizeof(std::uint32_t)));
    layout.gatherOffset = words(kHeadRows);
    layout.biasOffset = words(2 * kMostBias);
    for (auto& [rope, offset] : layout.ropes)
        offset = words(std::uint64_t{layout.tokens} * program.ropes[rope].dims());
    const std::uint64_t align = std::max<std::uint64_t>(limits.alignment / sizeof(std::uint32_t), 1);
    layout.inputOffset = (layout.stepWords + align - 1) / align * align;
    layout.uploadWords = layout.inputOffset + std::uint64_t{layout.tokens} * layout.inputWidth;
}

}  // namespace

SessionLayout SessionLayout::make(const graph::Program& program, std::span<const std::uint32_t> segments,
                                  std::uint32_t tokens, std::uint32_t adapterRank,
                                  const DeviceLimits& limits) {
    SessionLayout layout;
    layout.tokens = tokens;
    for (const SlotId slot : enteringSlots(program, segments))
        layout.inputWidth += program.slots[slot].width;
    const std::size_t next = std::size_t{segments.back()} + 1;
    if (next < program.segments.size()) {
        layout.leaving = program.segments[next].carried;
    } else {
        layout.leaving = {headInput(program, segments)};
    }
    for (const SlotId slot : layout.leaving)
        layout.leavingWidth += program.slots[slot].width;
    ArenaBuilder builder(program, layout);
    for (const SlotId slot : enteringSlots(program, segments))
        builder.slot(slot);
    for (const std::uint32_t index : segments) {
        for (const graph::Op& op : program.segments[index].ops) {
            const graph::SlotUse use = graph::slotUse(op);
            for (const SlotId slot : use.reads)
                builder.slot(slot);
            for (const SlotId slot : use.writes)
                builder.slot(slot);
            std::visit([&builder](const auto& concrete) { builder.add(concrete); }, op);
        }
    }
    for (const SlotId slot : layout.leaving)
        builder.slot(slot);
    builder.finish(adapterRank);
    layStep(program, layout, limits);
    return layout;
}

std::uint32_t kvRowWords(backend::KvType type, std::uint32_t length) {
    switch (type) {
        case backend::KvType::F32: return length;
        case backend::KvType::F16: return length / 2;
        case backend::KvType::Q8_0: return divideUp(length, 32) * 9;
    }
    return length;
}

std::vector<std::uint32_t> kvLayersOf(const graph::Program& program,
                                      std::span<const std::uint32_t> segments) {
    std::vector<std::uint32_t> layers;
    for (const std::uint32_t index : segments) {
        for (const graph::Op& op : program.segments[index].ops) {
            if (const auto* store = std::get_if<graph::RopeStoreOp>(&op)) layers.push_back(store->kvLayer);
        }
    }
    return layers;
}

std::vector<SlotId> enteringSlots(const graph::Program& program, std::span<const std::uint32_t> segments) {
    const graph::Segment& first = program.segments[segments.front()];
    if (first.kind == graph::SegmentKind::Embedding) return {std::get<graph::EmbedOp>(first.ops.front()).out};
    return first.carried;
}

SlotId headInput(const graph::Program& program, std::span<const std::uint32_t> segments) {
    for (const graph::Op& op : program.segments[segments.back()].ops) {
        if (const auto* head = std::get_if<graph::HeadOp>(&op)) return head->in;
    }
    return kNone;
}

}  // namespace loader::vulkan
