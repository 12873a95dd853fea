// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/step_runner.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>

#include "backends/api/top_tokens.h"
#include "core/engine/quant/dequantize.h"

namespace loader::vulkan {
namespace {

using backend::BatchItem;
using backend::OutputKind;
using graph::kNone;

/// Recorded lists that are kept: answers use few shapes, the ends of prompts many.
constexpr std::size_t kKeptShapes = 6;
/// No submission should take longer than half of what watchdogs and users mind.
constexpr double kSubmissionSeconds = 0.05;
/// What a device is believed to do before it was measured: so little that the first portions are small. @unit
/// thousands of millions of operations per second, for few tokens and for many
constexpr double kFirstRates[2] = {20.0, 50.0};
/// A context of which each split has at least so many positions.
constexpr std::uint32_t kSplitPositions = 256;

bool wantsHidden(const backend::OutputRequest& request) {
    return request.kind == OutputKind::Hidden || request.kind == OutputKind::Pooled;
}

/// Whether the device selects the candidates itself.
bool selects(const backend::OutputRequest& request) {
    return request.kind == OutputKind::TopTokens && request.top != 0 && request.top <= kMostTop &&
           request.bias.size() <= kMostBias;
}

template <class Known, class Shape>
auto* findShape(std::list<Known>& known, const Shape& shape) {
    for (auto at = known.begin(); at != known.end(); ++at) {
        if (at->shape != shape) continue;
        known.splice(known.begin(), known, at);
        return &known.front();
    }
    return static_cast<Known*>(nullptr);
}

}  // namespace

Result<std::unique_ptr<StepRunner>> StepRunner::create(LoadedParts& parts,
                                                       const backend::SessionOptions& options) {
    std::unique_ptr<StepRunner> made(new StepRunner(parts, options));
    LOADER_CHECK(made->open());
    return made;
}

Status StepRunner::open() {
    std::uint32_t rank = 0;
    for (const backend::Adapter& adapter : m_options.adapters)
        rank = std::max(rank, adapter.rank);
    m_layout = SessionLayout::make(m_parts.program, m_parts.segments, m_parts.options.batchTokens, rank,
                                   m_parts.device->limits());
    LOADER_TRY(m_buffers, SessionBuffers::make(m_parts, m_options, m_layout));
    LOADER_TRY(m_recorder, Recorder::create(m_parts, *m_buffers));
    readRopes();
    std::copy(std::begin(kFirstRates), std::end(kFirstRates), m_rates);
    m_entering = enteringSlots(m_parts.program, m_parts.segments);
    for (const std::uint32_t index : m_parts.segments) {
        for (const graph::Op& op : m_parts.program.segments[index].ops) {
            if (const auto* embed = std::get_if<graph::EmbedOp>(&op)) m_embed = embed;
            if (const auto* head = std::get_if<graph::HeadOp>(&op)) m_headOp = head;
        }
    }
    return {};
}

LoweringContext StepRunner::context() const {
    return {m_parts.program,         m_parts.weights.layout,   m_layout,
            m_parts.kernels,         m_parts.device->limits(), m_options.kv,
            m_options.contextTokens, m_buffers->adapters()};
}

Status StepRunner::step(std::span<const BatchItem> items, std::span<const std::uint32_t> visibleEnds,
                        const backend::OutputRequest& request, backend::ForwardOutput& out,
                        CancelToken cancel) {
    const StepShape shape = shapeOf(items, visibleEnds);
    LOADER_TRY(const Body* known, body(shape, cancel));
    writeItems(items, visibleEnds);
    writeRopes(items);
    writeInputs(items);
    // The last list brings the leaving slots into the result.
    const bool hidden = wantsHidden(request);
    std::vector<const RecordedList*> lists;
    for (std::size_t i = 0; i + (hidden ? 0 : 1) < known->size(); ++i)
        lists.push_back(&(*known)[i]);
    const bool wanted =
        std::any_of(items.begin(), items.end(), [](const BatchItem& item) { return item.wantsOutput; });
    if (!hidden && wanted && m_headOp != nullptr) {
        LOADER_CHECK(runHead(std::move(lists), items, request, out, cancel));
    } else {
        LOADER_CHECK(m_buffers->upload().flush(0, m_buffers->upload().bytes()));
        LOADER_CHECK(submit(lists, items.size() <= KernelChoice::kVectorTokens, cancel));
        if (hidden && wanted) LOADER_CHECK(readHidden(items, out));
    }
    keepPipelines();
    return {};
}

/// Now and not at the end: nobody knows how the process will end.
void StepRunner::keepPipelines() {
    const std::lock_guard<std::mutex> lock(m_parts.making);
    m_parts.pipelines->save();
}

StepShape StepRunner::shapeOf(std::span<const BatchItem> items,
                              std::span<const std::uint32_t> visibleEnds) const {
    StepShape shape;
    shape.tokens = static_cast<std::uint32_t>(items.size());
    shape.mixed = std::any_of(items.begin(), items.end(), [&items](const BatchItem& item) {
        return item.sequence != items.front().sequence;
    });
    if (shape.tokens <= kSplitTokens) {
        const std::uint32_t longest = *std::max_element(visibleEnds.begin(), visibleEnds.end());
        shape.splits = std::clamp(std::bit_floor(std::max(longest / kSplitPositions, 1u)), 1u, kMostSplits);
    }
    return shape;
}

template <class Value>
std::span<Value> StepRunner::uploadWords(std::uint64_t word, std::uint64_t count) const {
    static_assert(sizeof(Value) % sizeof(std::uint32_t) == 0);
    auto* first =
        reinterpret_cast<Value*>(m_buffers->upload().mapped().data() + word * sizeof(std::uint32_t));
    return {first, static_cast<std::size_t>(count)};
}

void StepRunner::writeItems(std::span<const BatchItem> items, std::span<const std::uint32_t> visibleEnds) {
    const auto to = uploadWords<StepItem>(m_layout.itemsOffset, items.size());
    for (std::size_t i = 0; i < items.size(); ++i)
        to[i] = {items[i].position[0], items[i].sequence, visibleEnds[i], static_cast<std::uint32_t>(i)};
}

/// The divisors that the file has for each pair do not change from step to step.
void StepRunner::readRopes() {
    for (const auto& [id, offset] : m_layout.ropes) {
        const graph::Rope& rope = m_parts.program.ropes[id];
        std::vector<float> factors(rope.frequencies.size(), 1.0f);
        if (rope.factors != kNone) {
            const graph::WeightRef& weight = m_parts.program.weights[rope.factors];
            quant::dequantizeRow(weight.type, m_parts.fileWeights[rope.factors].bytes.data(), factors.data(),
                                 factors.size());
        }
        m_ropeFactors[id] = std::move(factors);
    }
}

void StepRunner::writeRopes(std::span<const BatchItem> items) {
    for (const auto& [id, offset] : m_layout.ropes) {
        const graph::Rope& rope = m_parts.program.ropes[id];
        const std::vector<float>& factors = m_ropeFactors.at(id);
        const std::size_t pairs = rope.frequencies.size();
        const auto rows = uploadWords<float>(offset, items.size() * 2 * pairs);
        for (std::size_t t = 0; t < items.size(); ++t) {
            for (std::size_t i = 0; i < pairs; ++i) {
                const double angle =
                    items[t].position[0] * rope.frequencies[i] / static_cast<double>(factors[i]);
                rows[(t * pairs + i) * 2] = static_cast<float>(std::cos(angle) * rope.magnitude);
                rows[(t * pairs + i) * 2 + 1] = static_cast<float>(std::sin(angle) * rope.magnitude);
            }
        }
    }
}

void StepRunner::writeInputs(std::span<const BatchItem> items) {
    const auto rows =
        uploadWords<float>(m_layout.inputOffset, items.size() * std::size_t{m_layout.inputWidth});
    for (std::size_t t = 0; t < items.size(); ++t) {
        float* row = rows.data() + t * m_layout.inputWidth;
        if (items[t].token != kNoToken) {
            embed(*m_embed, items[t], row);
        } else {
            std::copy(items[t].row, items[t].row + m_layout.inputWidth, row);
        }
    }
}

void StepRunner::embed(const graph::EmbedOp& op, const BatchItem& item, float* row) {
    const auto read = [this](graph::TensorId id, std::size_t index, float* to) {
        const graph::WeightRef& weight = m_parts.program.weights[id];
        quant::dequantizeRow(weight.type, m_parts.fileWeights[id].bytes.data() + index * weight.rowBytes, to,
                             weight.columns);
    };
    const std::uint32_t width = m_parts.program.width;
    read(op.tokens, static_cast<std::size_t>(item.token), row);
    for (std::uint32_t i = 0; i < width; ++i)
        row[i] *= op.scale;
    if (op.positions == kNone) return;
    m_row.resize(width);
    read(op.positions, item.position[0], m_row.data());
    for (std::uint32_t i = 0; i < width; ++i)
        row[i] += m_row[i];
}

Result<const StepRunner::Body*> StepRunner::body(const StepShape& shape, const CancelToken& cancel) {
    if (const KnownBody* known = findShape(m_bodies, shape)) return &known->lists;
    Lowering lowering(context());
    Body lists;
    LOADER_TRY(RecordedList inputs, m_recorder->record(lowering.inputs(shape, m_entering), cancel));
    lists.push_back(std::move(inputs));
    for (const std::uint32_t index : m_parts.segments) {
        LOADER_TRY(RecordedList list,
                   m_recorder->record(lowering.segment(m_parts.program.segments[index], shape), cancel));
        lists.push_back(std::move(list));
    }
    LOADER_TRY(RecordedList leaving, m_recorder->record(lowering.leaving(shape), cancel));
    lists.push_back(std::move(leaving));
    m_bodies.push_front({shape, std::move(lists)});
    if (m_bodies.size() > kKeptShapes) m_bodies.pop_back();
    return &m_bodies.front().lists;
}

Result<const RecordedList*> StepRunner::head(const HeadShape& shape, const CancelToken& cancel) {
    if (const KnownHead* known = findShape(m_heads, shape)) return &known->list;
    Lowering lowering(context());
    LOADER_TRY(RecordedList list, m_recorder->record(lowering.head(*m_headOp, shape), cancel));
    m_heads.push_front({shape, std::move(list)});
    if (m_heads.size() > kKeptShapes) m_heads.pop_back();
    return &m_heads.front().list;
}

/// Portions of so many lists that each should take kSubmissionSeconds by what was measured before.
Status StepRunner::submit(std::span<const RecordedList* const> lists, bool few, const CancelToken& cancel) {
    double& rate = m_rates[few ? 0 : 1];
    std::size_t begin = 0;
    while (begin < lists.size()) {
        LOADER_CHECK(cancel.check());
        std::vector<vk::CommandBuffer> commands;
        double cost = 0.0;
        std::size_t end = begin;
        while (end < lists.size() && (end == begin || cost + lists[end]->cost <= rate * kSubmissionSeconds)) {
            commands.push_back(*lists[end]->commands);
            cost += lists[end]->cost;
            m_dispatches += lists[end]->dispatches;
            ++end;
        }
        const auto start = std::chrono::steady_clock::now();
        LOADER_CHECK(m_parts.device->submitAndWait(commands));
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (cost > 0.0) {
            // Slower at once, faster by steps: one quiet portion says little about the next.
            const double measured = cost / std::max(seconds, 1e-6);
            rate = measured < rate ? measured : std::min(measured, rate * 2.0);
        }
        begin = end;
    }
    return {};
}

Status StepRunner::readHidden(std::span<const BatchItem> items, backend::ForwardOutput& out) {
    LOADER_CHECK(m_buffers->result().invalidate(0, m_buffers->result().bytes()));
    const auto* rows = reinterpret_cast<const float*>(m_buffers->result().mapped().data());
    out.rowWidth = m_layout.leavingWidth;
    for (std::size_t t = 0; t < items.size(); ++t) {
        const float* row = rows + t * out.rowWidth;
        if (items[t].wantsOutput) out.values.insert(out.values.end(), row, row + out.rowWidth);
    }
    return {};
}

Status StepRunner::runHead(std::vector<const RecordedList*> lists, std::span<const BatchItem> items,
                           const backend::OutputRequest& request, backend::ForwardOutput& out,
                           const CancelToken& cancel) {
    std::vector<std::uint32_t> wanted;
    for (std::uint32_t t = 0; t < items.size(); ++t) {
        if (items[t].wantsOutput) wanted.push_back(t);
    }
    HeadShape shape;
    if (selects(request)) {
        shape.top = request.top;
        // Rounded up, so that lists that grow with an answer are not recorded anew for each token.
        if (!request.bias.empty()) {
            shape.biases = std::bit_ceil(static_cast<std::uint32_t>(request.bias.size()));
            const auto pairs =
                uploadWords<std::uint32_t>(m_layout.biasOffset, std::uint64_t{2} * shape.biases);
            std::fill(pairs.begin(), pairs.end(), LOADER_NONE);
            for (std::size_t i = 0; i < request.bias.size(); ++i) {
                pairs[2 * i] = static_cast<std::uint32_t>(request.bias[i].token);
                pairs[2 * i + 1] = std::bit_cast<std::uint32_t>(request.bias[i].bias);
            }
        }
    }
    const bool few = items.size() <= KernelChoice::kVectorTokens;
    for (std::size_t begin = 0; begin < wanted.size(); begin += kHeadRows) {
        shape.rows = static_cast<std::uint32_t>(std::min<std::size_t>(wanted.size() - begin, kHeadRows));
        const auto gather = uploadWords<std::uint32_t>(m_layout.gatherOffset, shape.rows);
        std::copy_n(wanted.begin() + static_cast<std::ptrdiff_t>(begin), shape.rows, gather.begin());
        LOADER_TRY(const RecordedList* list, head(shape, cancel));
        LOADER_CHECK(m_buffers->upload().flush(0, m_buffers->upload().bytes()));
        lists.push_back(list);
        LOADER_CHECK(submit(lists, few, cancel));
        LOADER_CHECK(readHead(shape, request, out));
        lists.clear();
    }
    return {};
}

Status StepRunner::readHead(const HeadShape& shape, const backend::OutputRequest& request,
                            backend::ForwardOutput& out) {
    const HeadResult places = Lowering(context()).headResult(shape);
    LOADER_CHECK(m_buffers->result().invalidate(0, m_buffers->result().bytes()));
    const std::byte* bytes = m_buffers->result().mapped().data();
    for (std::uint32_t row = 0; row < shape.rows; ++row) {
        const std::byte* at = bytes + std::size_t{row} * places.stride * sizeof(float);
        if (shape.top == 0) {
            m_row.resize(m_parts.program.vocabulary);
            std::memcpy(m_row.data(), at, m_row.size() * sizeof(float));
            backend::appendLogits(m_row, request, out);
            continue;
        }
        static_assert(sizeof(backend::TopToken) == 2 * sizeof(std::uint32_t));
        const std::size_t first = out.top.size();
        out.top.resize(first + shape.top);
        std::memcpy(out.top.data() + first, at, shape.top * sizeof(backend::TopToken));
        const auto* sums =
            reinterpret_cast<const float*>(bytes) + places.sumsOffset + row * places.sumsStride;
        appendSums({sums, places.sumsStride}, out);
    }
    return {};
}

/// The logarithm of the sum over all logits, from each chunk's greatest and its sum relative to that.
void StepRunner::appendSums(std::span<const float> sums, backend::ForwardOutput& out) {
    float greatest = -std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < sums.size(); i += 2)
        greatest = std::max(greatest, sums[i]);
    double sum = 1.0;
    if (std::isfinite(greatest)) {
        sum = 0.0;
        for (std::size_t i = 0; i < sums.size(); i += 2) {
            if (std::isfinite(sums[i]))
                sum += static_cast<double>(sums[i + 1]) * std::exp(static_cast<double>(sums[i]) - greatest);
        }
    }
    out.logSumExp.push_back(static_cast<float>(greatest + std::log(sum)));
}

}  // namespace loader::vulkan
