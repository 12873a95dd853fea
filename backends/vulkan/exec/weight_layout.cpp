// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/weight_layout.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "backends/vulkan/shaders/shader_list.h"
#include "core/engine/base/checked.h"

namespace loader::vulkan {
namespace {

using graph::kNone;
using graph::TensorId;

/// Shaders read whole words and, at odd addresses, the word behind: so much follows each window.
constexpr std::uint64_t kSlack = 8;

class LayoutBuilder {
public:
    LayoutBuilder(const graph::Program& program, const DeviceLimits& limits)
        : m_program(program), m_limits(limits) {
        m_window = std::min(limits.windowBytes, limits.allocationBytes);
        m_window -= std::min(m_window, kSlack + limits.alignment);
    }

    void add(const graph::EmbedOp&) {}  // the host looks rows up, see StepRunner
    void add(const graph::NormOp& op) {
        vector(op.weight);
        vector(op.bias);
    }
    void add(const graph::QkvOp& op) {
        if (op.fused.present()) {
            const std::uint32_t queries = op.heads * op.keyLength;
            const std::uint32_t keys = op.kvHeads * op.keyLength;
            linear(op.fused, {queries, queries + keys});
        } else {
            linear(op.query);
            linear(op.key);
            linear(op.value);
        }
        vector(op.queryNorm);
        vector(op.keyNorm);
    }
    void add(const graph::RopeStoreOp&) {}  // its factors are folded into the step's rows
    void add(const graph::AttendOp&) {}
    void add(const graph::ProjectOp& op) { linear(op.linear); }
    void add(const graph::GateUpOp& op) {
        linear(op.gate);
        linear(op.up);
    }
    void add(const graph::RouteOp& op) { linear(op.linear); }
    void add(const graph::ExpertGateUpOp& op) {
        experts(op.gate, op.separate, op.experts);
        experts(op.up, op.separate, op.experts);
    }
    void add(const graph::ExpertDownOp& op) { experts(op.down, op.separate, op.experts); }
    void add(const graph::HeadOp& op) { linear(op.linear); }

    WeightLayout take() { return std::move(m_layout); }

private:
    void vector(TensorId id) {
        if (id == kNone || m_layout.vectors.contains(id)) return;
        m_layout.vectors[id] = m_layout.vectorWords;
        m_layout.vectorWords += static_cast<std::uint32_t>(m_program.weights[id].columns);
    }

    void linear(const graph::Linear& linear, const std::vector<std::uint32_t>& cuts = {}) {
        if (!linear.present()) return;
        vector(linear.bias);
        if (m_layout.matrices.contains(linear.weight)) return;
        PlacedMatrix matrix;
        if (!describe(linear.weight, matrix)) return;
        matrix.sources = {linear.weight};
        cutRows(matrix, cuts);
        m_layout.matrices[linear.weight] = std::move(matrix);
    }

    void experts(TensorId first, bool separate, std::uint32_t count) {
        if (first == kNone || m_layout.matrices.contains(first)) return;
        PlacedMatrix matrix;
        if (!describe(first, matrix)) return;
        matrix.sources.resize(separate ? count : 1);
        std::iota(matrix.sources.begin(), matrix.sources.end(), first);
        cutSlices(matrix, count);
        m_layout.matrices[first] = std::move(matrix);
    }

    /// Shape and type, where the numbers fit what shaders count with.
    bool describe(TensorId id, PlacedMatrix& matrix) {
        const graph::WeightRef& weight = m_program.weights[id];
        const auto columns = checkedCast<std::uint32_t>(weight.columns);
        const auto rows = checkedCast<std::uint32_t>(weight.rows);
        const auto rowBytes = checkedCast<std::uint32_t>(weight.rowBytes);
        if (!columns || !rows || !rowBytes || weight.rowBytes > m_window) {
            m_layout.unsupported.push_back("one row of " + weight.name +
                                           " is larger than what a shader sees");
            return false;
        }
        matrix.type = weight.type;
        matrix.columns = *columns;
        matrix.rows = *rows;
        matrix.rowBytes = *rowBytes;
        m_layout.usesGrids = m_layout.usesGrids || familyOf(weight.type) == WeightFamily::Grid;
        return true;
    }

    void cutRows(PlacedMatrix& matrix, const std::vector<std::uint32_t>& cuts) {
        const auto most = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(m_window / matrix.rowBytes, std::numeric_limits<std::uint32_t>::max()));
        std::uint32_t row = 0;
        while (row < matrix.rows) {
            std::uint32_t end = matrix.rows - row > most ? row + most : matrix.rows;
            for (const std::uint32_t cut : cuts) {
                if (cut > row && cut < end) end = cut;
            }
            WeightWindow window;
            window.firstRow = row;
            window.rows = end - row;
            window.bytes = std::uint64_t{window.rows} * matrix.rowBytes;
            place(window);
            matrix.windows.push_back(window);
            row = end;
        }
    }

    void cutSlices(PlacedMatrix& matrix, std::uint32_t count) {
        const std::uint64_t sliceBytes = std::uint64_t{matrix.rows} * matrix.rowBytes;
        const auto most = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(m_window / std::max<std::uint64_t>(sliceBytes, 1), count));
        if (most == 0) {
            m_layout.unsupported.push_back("one expert of " + m_program.weights[matrix.sources.front()].name +
                                           " is larger than what a shader sees");
            return;
        }
        for (std::uint32_t slice = 0; slice < count; slice += most) {
            WeightWindow window;
            window.rows = matrix.rows;
            window.firstSlice = slice;
            window.slices = std::min(most, count - slice);
            window.bytes = window.slices * sliceBytes;
            place(window);
            matrix.windows.push_back(window);
        }
    }

    /// At the end of the last block, or in a new one.
    void place(WeightWindow& window) {
        const std::uint64_t align = std::max<std::uint64_t>(m_limits.alignment, 4);
        const std::uint64_t room = (window.bytes + kSlack + align - 1) / align * align;
        std::vector<std::uint64_t>& blocks = m_layout.blocks;
        const std::uint64_t at = blocks.empty() ? 0 : blocks.back();
        const std::uint64_t most = std::max(blockBytes(), room);
        if (blocks.empty() || at + room > most) {
            blocks.push_back(0);
            window.offset = 0;
        } else {
            window.offset = at;
        }
        window.block = static_cast<std::uint32_t>(blocks.size() - 1);
        window.index = m_layout.windows++;
        blocks.back() = window.offset + room;
    }
    /// Large enough that a model takes few allocations, small enough that a driver finds the room.
    std::uint64_t blockBytes() const {
        return std::min<std::uint64_t>(m_limits.allocationBytes, std::uint64_t{1} << 30);
    }

    const graph::Program& m_program;
    const DeviceLimits& m_limits;
    std::uint64_t m_window = 0;
    WeightLayout m_layout;
};

}  // namespace

WeightLayout WeightLayout::make(const graph::Program& program, std::span<const std::uint32_t> segments,
                                const DeviceLimits& limits) {
    LayoutBuilder builder(program, limits);
    for (const std::uint32_t index : segments) {
        for (const graph::Op& op : program.segments[index].ops)
            std::visit([&builder](const auto& concrete) { builder.add(concrete); }, op);
    }
    return builder.take();
}

std::uint64_t WeightLayout::bytes() const {
    return std::accumulate(blocks.begin(), blocks.end(), std::uint64_t{0}) +
           std::uint64_t{vectorWords} * sizeof(float);
}

}  // namespace loader::vulkan
