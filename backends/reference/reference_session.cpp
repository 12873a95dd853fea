// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/reference/reference_session.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include "backends/api/adapter_check.h"
#include "backends/api/sequence_table.h"
#include "backends/api/top_tokens.h"
#include "backends/reference/reference_math.h"
#include "core/engine/base/thread_pool.h"
#include "core/engine/quant/dequantize.h"

namespace loader::backend {
namespace {

using graph::kNone;
using graph::SlotId;
using graph::TensorId;

/// Keys and values of one layer and sequence, one row per position.
struct KvRows {
    std::vector<double> keys;
    std::vector<double> values;
};

class ReferenceSession final : public Session {
public:
    ReferenceSession(const graph::Program& program, const std::vector<Weight>& weights,
                     const std::vector<std::uint32_t>& segments, const SessionOptions& options,
                     unsigned threads)
        : m_program(program),
          m_weights(weights),
          m_segments(segments),
          m_adapters(options.adapters),
          m_table(options.sequences, options.contextTokens),
          m_kv(program.kvLayers.size(), std::vector<KvRows>(options.sequences)),
          m_pool(threads) {
        for (std::uint32_t index : m_segments) {
            for (const graph::Op& op : program.segments[index].ops) {
                if (const auto* store = std::get_if<graph::RopeStoreOp>(&op))
                    m_kvLayers.push_back(store->kvLayer);
            }
        }
    }

    Status forward(std::span<const BatchItem> batch, const OutputRequest& request, ForwardOutput& out,
                   CancelToken cancel) override {
        out.values.clear();
        out.top.clear();
        out.logSumExp.clear();
        out.rowWidth = 0;
        LOADER_CHECK(m_table.admit(batch, m_visibleEnds));
        m_batch = batch;
        m_slots.resize(m_program.slots.size());
        for (std::size_t i = 0; i < m_slots.size(); ++i) {
            m_slots[i].assign(batch.size() * m_program.slots[i].width, 0.0);
        }
        LOADER_CHECK(placeRows());
        for (std::uint32_t index : m_segments) {
            LOADER_CHECK(cancel.check());
            LOADER_CHECK(runSegment(m_program.segments[index], request, out));
        }
        collectHidden(request, out);
        m_table.commit(batch);
        return {};
    }

    Result<std::uint32_t> truncate(std::uint32_t sequence, std::uint32_t position) override {
        return m_table.truncate(sequence, position);
    }

    Status copy(std::uint32_t from, std::uint32_t to) override {
        LOADER_CHECK(m_table.checkSequence(from));
        LOADER_CHECK(m_table.checkSequence(to));
        for (auto& layer : m_kv)
            layer[to] = layer[from];
        m_table.setLength(to, m_table.length(from));
        return {};
    }

    Status save(std::uint32_t sequence, std::vector<std::byte>& out) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        const std::uint32_t length = m_table.length(sequence);
        out.resize(sizeof length);
        std::memcpy(out.data(), &length, sizeof length);
        const auto append = [&](const std::vector<double>& rows, std::size_t width) {
            const auto* data = reinterpret_cast<const std::byte*>(rows.data());
            out.insert(out.end(), data, data + length * width * sizeof(double));
        };
        for (std::uint32_t layer : m_kvLayers) {
            append(m_kv[layer][sequence].keys, keyWidth(m_program.kvLayers[layer]));
            append(m_kv[layer][sequence].values, valueWidth(m_program.kvLayers[layer]));
        }
        return {};
    }

    Status restore(std::uint32_t sequence, std::span<const std::byte> saved) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        std::uint32_t length = 0;
        if (saved.size() < sizeof length) return Error(Errc::F807, {"it is too short"});
        std::memcpy(&length, saved.data(), sizeof length);
        saved = saved.subspan(sizeof length);
        std::uint64_t width = 0;
        for (std::uint32_t layer : m_kvLayers)
            width += keyWidth(m_program.kvLayers[layer]) + valueWidth(m_program.kvLayers[layer]);
        if (length > m_table.contextTokens() ||
            saved.size() != std::uint64_t{length} * width * sizeof(double)) {
            return Error(Errc::F807, {"it belongs to another model or context"});
        }
        for (std::uint32_t layer : m_kvLayers) {
            KvRows& rows = m_kv[layer][sequence];
            saved = take(saved, length * keyWidth(m_program.kvLayers[layer]), rows.keys);
            saved = take(saved, length * valueWidth(m_program.kvLayers[layer]), rows.values);
        }
        m_table.setLength(sequence, length);
        return {};
    }

private:
    static std::size_t keyWidth(const graph::KvLayer& kv) { return std::size_t{kv.kvHeads} * kv.keyLength; }
    static std::size_t valueWidth(const graph::KvLayer& kv) {
        return std::size_t{kv.kvHeads} * kv.valueLength;
    }
    static std::span<const std::byte> take(std::span<const std::byte> from, std::size_t count,
                                           std::vector<double>& to) {
        to.resize(count);
        if (count != 0) std::memcpy(to.data(), from.data(), count * sizeof(double));
        return from.subspan(count * sizeof(double));
    }

    Status runSegment(const graph::Segment& segment, const OutputRequest& request, ForwardOutput& out) {
        for (const graph::Op& op : segment.ops) {
            if (const auto* head = std::get_if<graph::HeadOp>(&op)) {
                runHead(*head, request, out);
            } else {
                LOADER_CHECK(std::visit([this](const auto& concrete) { return run(concrete); }, op));
            }
        }
        return {};
    }

    std::size_t tokens() const { return m_batch.size(); }
    std::span<double> row(SlotId slot, std::size_t token) {
        const std::size_t width = m_program.slots[slot].width;
        return {m_slots[slot].data() + token * width, width};
    }

    /// Row `index` of a weight (counted over slices) as doubles.
    void readRow(TensorId id, std::size_t index, std::vector<float>& scratch, std::span<double> out) const {
        const graph::WeightRef& weight = m_program.weights[id];
        scratch.resize(weight.columns);
        quant::dequantizeRow(weight.type, m_weights[id].bytes.data() + index * weight.rowBytes,
                             scratch.data(), weight.columns);
        std::copy(scratch.begin(), scratch.end(), out.begin());
    }
    std::vector<double> vectorOf(TensorId id) const {
        if (id == kNone) return {};
        std::vector<float> scratch;
        std::vector<double> values(m_program.weights[id].columns);
        readRow(id, 0, scratch, values);
        return values;
    }

    /// give(row, token, value) for every row of one slice of a matrix and every token of `inputs`; rows are
    /// shared out.
    void multiply(TensorId id, std::size_t slice, const std::vector<std::span<const double>>& inputs,
                  const std::function<void(std::size_t, std::size_t, double)>& give) {
        const graph::WeightRef& weight = m_program.weights[id];
        m_pool.run([&](TeamMember& member) {
            std::vector<float> scratch;
            std::vector<double> values(weight.columns);
            const auto share = member.share(weight.rows);
            for (std::size_t r = share.begin; r < share.end; ++r) {
                readRow(id, slice * weight.rows + r, scratch, values);
                for (std::size_t t = 0; t < inputs.size(); ++t)
                    give(r, t, reference::dot(values, inputs[t]));
            }
        });
    }

    std::vector<std::span<const double>> inputsOf(SlotId slot, std::size_t width) {
        std::vector<std::span<const double>> inputs(tokens());
        for (std::size_t t = 0; t < tokens(); ++t)
            inputs[t] = row(slot, t).first(width);
        return inputs;
    }

    /// results[token] = W in + b + Σ strength × B (A in). @shape results [tokens][rows]
    std::vector<std::vector<double>> linear(const graph::Linear& linear,
                                            const std::vector<std::span<const double>>& inputs) {
        const graph::WeightRef& weight = m_program.weights[linear.weight];
        std::vector<std::vector<double>> results(inputs.size(), std::vector<double>(weight.rows, 0.0));
        multiply(linear.weight, 0, inputs,
                 [&](std::size_t r, std::size_t t, double value) { results[t][r] = value; });
        const std::vector<double> bias = vectorOf(linear.bias);
        for (std::size_t t = 0; t < inputs.size(); ++t) {
            for (std::size_t r = 0; r < bias.size(); ++r)
                results[t][r] += bias[r];
            for (const Adapter& adapter : m_adapters) {
                if (adapter.target == linear.weight) addAdapter(adapter, inputs[t], results[t]);
            }
        }
        return results;
    }

    static void addAdapter(const Adapter& adapter, std::span<const double> in, std::vector<double>& out) {
        for (std::uint32_t k = 0; k < adapter.rank; ++k) {
            double inner = 0.0;
            for (std::size_t c = 0; c < in.size(); ++c)
                inner += adapter.a[k * in.size() + c] * in[c];
            for (std::size_t r = 0; r < out.size(); ++r) {
                out[r] += adapter.strength * inner * adapter.b[r * adapter.rank + k];
            }
        }
    }

    void store(SlotId slot, std::size_t token, std::span<const double> values, bool accumulate) {
        const std::span<double> out = row(slot, token);
        for (std::size_t i = 0; i < values.size(); ++i)
            out[i] = values[i] + (accumulate ? out[i] : 0.0);
    }

    /// Puts given rows into the slots that cross the border in front of the first segment.
    Status placeRows() {
        const graph::Segment& first = m_program.segments[m_segments.front()];
        for (std::size_t t = 0; t < tokens(); ++t) {
            const BatchItem& item = m_batch[t];
            const bool inStream = first.kind == graph::SegmentKind::Embedding;
            if (item.token != kNoToken && inStream) continue;
            if (item.token != kNoToken || !item.row)
                return Error(Errc::B708, {std::to_string(item.position[0]), "the item has no row"});
            const float* from = item.row;
            const std::vector<SlotId> stream = inStream ? embeddingOutput(first) : first.carried;
            for (SlotId slot : stream) {
                for (double& x : row(slot, t))
                    x = *from++;
            }
        }
        return {};
    }
    static std::vector<SlotId> embeddingOutput(const graph::Segment& segment) {
        return {std::get<graph::EmbedOp>(segment.ops.front()).out};
    }

    Status run(const graph::EmbedOp& op) {
        std::vector<float> scratch;
        std::vector<double> values(m_program.width);
        for (std::size_t t = 0; t < tokens(); ++t) {
            const BatchItem& item = m_batch[t];
            if (item.token == kNoToken) continue;
            if (item.token < 0 || static_cast<std::uint32_t>(item.token) >= m_program.vocabulary) {
                return Error(Errc::T211, {std::to_string(item.token), std::to_string(m_program.vocabulary)});
            }
            readRow(op.tokens, static_cast<std::size_t>(item.token), scratch, values);
            for (double& x : values)
                x *= op.scale;
            store(op.out, t, values, false);
            if (op.positions == kNone) continue;
            if (item.position[0] >= m_program.positionLimit) {
                return Error(Errc::R902,
                             {std::to_string(item.position[0] + 1), std::to_string(m_program.positionLimit)});
            }
            readRow(op.positions, item.position[0], scratch, values);
            store(op.out, t, values, true);
        }
        return {};
    }

    Status run(const graph::NormOp& op) {
        const std::vector<double> weight = vectorOf(op.weight);
        const std::vector<double> bias = vectorOf(op.bias);
        std::vector<double> result(weight.size());
        for (std::size_t t = 0; t < tokens(); ++t) {
            reference::norm(op.kind, row(op.in, t).first(weight.size()), weight, bias, op.epsilon, result);
            store(op.out, t, result, op.accumulate);
        }
        return {};
    }

    void normHeads(SlotId slot, std::uint32_t heads, std::uint32_t length, TensorId weight, double epsilon) {
        if (weight == kNone) return;
        const std::vector<double> values = vectorOf(weight);
        for (std::size_t t = 0; t < tokens(); ++t) {
            for (std::uint32_t h = 0; h < heads; ++h) {
                const std::span<double> head = row(slot, t).subspan(std::size_t{h} * length, length);
                reference::norm(graph::NormKind::Rms, head, values, {}, epsilon, head);
            }
        }
    }

    Status run(const graph::QkvOp& op) {
        const std::size_t queryRows = std::size_t{op.heads} * op.keyLength;
        const std::size_t keyRows = std::size_t{op.kvHeads} * op.keyLength;
        const std::size_t valueRows = std::size_t{op.kvHeads} * op.valueLength;
        const auto inputs = inputsOf(op.in, m_program.width);
        if (op.fused.present()) {
            const auto all = linear(op.fused, inputs);
            for (std::size_t t = 0; t < tokens(); ++t) {
                const std::span<const double> values(all[t]);
                store(op.queryOut, t, values.first(queryRows), false);
                store(op.keyOut, t, values.subspan(queryRows, keyRows), false);
                store(op.valueOut, t, values.subspan(queryRows + keyRows, valueRows), false);
            }
        } else {
            storeAll(op.queryOut, linear(op.query, inputs), 1.0, false);
            storeAll(op.keyOut, linear(op.key, inputs), 1.0, false);
            storeAll(op.valueOut, linear(op.value, inputs), 1.0, false);
        }
        normHeads(op.queryOut, op.heads, op.keyLength, op.queryNorm, op.normEpsilon);
        normHeads(op.keyOut, op.kvHeads, op.keyLength, op.keyNorm, op.normEpsilon);
        return {};
    }

    void storeAll(SlotId slot, std::vector<std::vector<double>> results, double scale, bool accumulate) {
        for (std::size_t t = 0; t < results.size(); ++t) {
            for (double& x : results[t])
                x *= scale;
            store(slot, t, results[t], accumulate);
        }
    }

    Status run(const graph::RopeStoreOp& op) {
        const graph::KvLayer& kv = m_program.kvLayers[op.kvLayer];
        const graph::Rope* rope = op.rope == kNone ? nullptr : &m_program.ropes[op.rope];
        const std::vector<double> factors = rope ? vectorOf(rope->factors) : std::vector<double>();
        for (std::size_t t = 0; t < tokens(); ++t) {
            const std::uint32_t position = m_batch[t].position[0];
            const std::span<double> query = row(op.query, t);
            const std::span<double> key = row(op.key, t).first(keyWidth(kv));
            const std::span<double> value = row(op.value, t).first(valueWidth(kv));
            for (std::uint32_t h = 0; rope && h < op.heads; ++h) {
                reference::rotate(*rope, factors, position,
                                  query.subspan(std::size_t{h} * kv.keyLength, kv.keyLength));
            }
            for (std::uint32_t h = 0; rope && h < kv.kvHeads; ++h) {
                reference::rotate(*rope, factors, position,
                                  key.subspan(std::size_t{h} * kv.keyLength, kv.keyLength));
            }
            KvRows& rows = m_kv[op.kvLayer][m_batch[t].sequence];
            rows.keys.resize((std::size_t{position} + 1) * key.size());
            rows.values.resize((std::size_t{position} + 1) * value.size());
            std::copy(key.begin(), key.end(),
                      rows.keys.begin() + static_cast<std::ptrdiff_t>(position * key.size()));
            std::copy(value.begin(), value.end(),
                      rows.values.begin() + static_cast<std::ptrdiff_t>(position * value.size()));
        }
        return {};
    }

    Status run(const graph::AttendOp& op) {
        m_pool.run([&](TeamMember& member) {
            std::vector<double> scores;
            const auto share = member.share(tokens() * op.heads);
            for (std::size_t i = share.begin; i < share.end; ++i) {
                attendHead(op, i / op.heads, static_cast<std::uint32_t>(i % op.heads), scores);
            }
        });
        return {};
    }

    void attendHead(const graph::AttendOp& op, std::size_t token, std::uint32_t head,
                    std::vector<double>& scores) {
        const graph::KvLayer& kv = m_program.kvLayers[op.kvLayer];
        const KvRows& rows = m_kv[op.kvLayer][m_batch[token].sequence];
        const std::size_t kvHead = head / (op.heads / kv.kvHeads);
        const std::uint32_t position = m_batch[token].position[0];
        const std::uint32_t begin = kv.window != 0 && position + 1 > kv.window ? position + 1 - kv.window : 0;
        const std::uint32_t end = m_visibleEnds[token];
        const std::span<const double> query =
            row(op.query, token).subspan(std::size_t{head} * kv.keyLength, kv.keyLength);
        scores.clear();
        for (std::uint32_t p = begin; p < end; ++p) {
            const std::span<const double> key(rows.keys.data() + p * keyWidth(kv) + kvHead * kv.keyLength,
                                              kv.keyLength);
            scores.push_back(reference::softcap(op.scale * reference::dot(query, key), op.softcap));
        }
        reference::softmax(scores);
        const std::span<double> out =
            row(op.out, token).subspan(std::size_t{head} * kv.valueLength, kv.valueLength);
        std::fill(out.begin(), out.end(), 0.0);
        for (std::uint32_t p = begin; p < end; ++p) {
            const double* value = rows.values.data() + p * valueWidth(kv) + kvHead * kv.valueLength;
            for (std::size_t i = 0; i < out.size(); ++i)
                out[i] += scores[p - begin] * value[i];
        }
    }

    Status run(const graph::ProjectOp& op) {
        const auto inputs = inputsOf(op.in, m_program.weights[op.linear.weight].columns);
        storeAll(op.out, linear(op.linear, inputs), op.scale, op.accumulate);
        return {};
    }

    Status run(const graph::GateUpOp& op) {
        const auto inputs = inputsOf(op.in, m_program.weights[op.up.weight].columns);
        std::vector<std::vector<double>> up = linear(op.up, inputs);
        if (!op.gate.present()) {
            for (std::vector<double>& values : up) {
                for (double& x : values)
                    x = reference::activate(op.activation, x);
            }
        } else {
            const std::vector<std::vector<double>> gate = linear(op.gate, inputs);
            for (std::size_t t = 0; t < up.size(); ++t) {
                for (std::size_t i = 0; i < up[t].size(); ++i) {
                    up[t][i] *= reference::activate(op.activation, gate[t][i]);
                }
            }
        }
        storeAll(op.out, std::move(up), 1.0, false);
        return {};
    }

    Status run(const graph::RouteOp& op) {
        const auto scores = linear(op.linear, inputsOf(op.in, m_program.width));
        for (std::size_t t = 0; t < tokens(); ++t) {
            std::vector<double> weights = scores[t];
            if (op.gating == graph::Gating::Softmax) {
                reference::softmax(weights);
            } else {
                for (double& x : weights)
                    x = 1.0 / (1.0 + std::exp(-x));
            }
            std::vector<std::uint32_t> order(op.experts);
            std::iota(order.begin(), order.end(), 0u);
            std::stable_sort(order.begin(), order.end(),
                             [&](std::uint32_t a, std::uint32_t b) { return weights[a] > weights[b]; });
            double sum = 0.0;
            for (std::uint32_t k = 0; k < op.used; ++k)
                sum += weights[order[k]];
            const double scale = (op.normalise ? 1.0 / sum : 1.0) * op.scale;
            const std::span<double> out = row(op.out, t);
            for (std::uint32_t k = 0; k < op.used; ++k) {
                out[k] = order[k];
                out[op.used + k] = weights[order[k]] * scale;
            }
        }
        return {};
    }

    /// One matrix of one expert: its tensor and its slice in it.
    static std::pair<TensorId, std::size_t> expertMatrix(TensorId first, bool separate, std::size_t expert) {
        return separate ? std::pair<TensorId, std::size_t>(first + static_cast<TensorId>(expert), 0)
                        : std::pair<TensorId, std::size_t>(first, expert);
    }

    Status run(const graph::ExpertGateUpOp& op) {
        const graph::WeightRef& shape = m_program.weights[op.up];
        for (std::size_t t = 0; t < tokens(); ++t) {
            const std::vector<std::span<const double>> input{row(op.in, t).first(shape.columns)};
            for (std::uint32_t k = 0; k < op.used; ++k) {
                const auto expert = static_cast<std::size_t>(row(op.routing, t)[k]);
                const std::span<double> out = row(op.out, t).subspan(k * shape.rows, shape.rows);
                const auto [up, upSlice] = expertMatrix(op.up, op.separate, expert);
                multiply(up, upSlice, input,
                         [&](std::size_t r, std::size_t, double value) { out[r] = value; });
                const auto [gate, gateSlice] = expertMatrix(op.gate, op.separate, expert);
                multiply(gate, gateSlice, input, [&](std::size_t r, std::size_t, double value) {
                    out[r] *= reference::activate(op.activation, value);
                });
            }
        }
        return {};
    }

    Status run(const graph::ExpertDownOp& op) {
        const graph::WeightRef& shape = m_program.weights[op.down];
        for (std::size_t t = 0; t < tokens(); ++t) {
            std::vector<double> sum(shape.rows, 0.0);
            for (std::uint32_t k = 0; k < op.used; ++k) {
                const double weight = row(op.routing, t)[op.used + k];
                const auto expert = static_cast<std::size_t>(row(op.routing, t)[k]);
                const std::vector<std::span<const double>> input{
                    row(op.in, t).subspan(k * shape.columns, shape.columns)};
                const auto [down, slice] = expertMatrix(op.down, op.separate, expert);
                multiply(down, slice, input,
                         [&](std::size_t r, std::size_t, double value) { sum[r] += weight * value; });
            }
            store(op.out, t, sum, op.accumulate);
        }
        return {};
    }

    Status run(const graph::HeadOp&) { return {}; }  // runHead has it: only it knows what is wanted

    void runHead(const graph::HeadOp& op, const OutputRequest& request, ForwardOutput& out) {
        m_headInput = op.in;
        if (request.kind == OutputKind::Hidden || request.kind == OutputKind::Pooled) return;
        std::vector<std::span<const double>> inputs;
        for (std::size_t t = 0; t < tokens(); ++t) {
            if (m_batch[t].wantsOutput) inputs.push_back(row(op.in, t).first(m_program.width));
        }
        const auto results = linear(op.linear, inputs);
        std::vector<float> logits(m_program.vocabulary);
        for (const std::vector<double>& values : results) {
            for (std::size_t i = 0; i < logits.size(); ++i) {
                logits[i] = static_cast<float>(reference::softcap(op.scale * values[i], op.softcap));
            }
            appendLogits(logits, request, out);
        }
    }

    /// The slots that leave the last loaded segment, or what the head would read.
    std::vector<SlotId> leavingSlots() const {
        const std::size_t next = std::size_t{m_segments.back()} + 1;
        if (next < m_program.segments.size()) return m_program.segments[next].carried;
        return {m_headInput};
    }

    void collectHidden(const OutputRequest& request, ForwardOutput& out) {
        if (request.kind != OutputKind::Hidden && request.kind != OutputKind::Pooled) return;
        const std::vector<SlotId> slots = leavingSlots();
        for (std::size_t t = 0; t < tokens(); ++t) {
            if (!m_batch[t].wantsOutput) continue;
            for (SlotId slot : slots) {
                for (double x : row(slot, t))
                    out.values.push_back(static_cast<float>(x));
            }
        }
        for (SlotId slot : slots)
            out.rowWidth += m_program.slots[slot].width;
        if (request.kind == OutputKind::Pooled) poolBySequence(m_batch, out);
    }

    const graph::Program& m_program;
    const std::vector<Weight>& m_weights;
    const std::vector<std::uint32_t>& m_segments;
    std::vector<Adapter> m_adapters;
    SequenceTable m_table;
    /// Layers that the loaded segments write, in order.
    std::vector<std::uint32_t> m_kvLayers;
    /// [kvLayer][sequence]
    std::vector<std::vector<KvRows>> m_kv;
    ThreadPool m_pool;
    std::span<const BatchItem> m_batch;
    std::vector<std::uint32_t> m_visibleEnds;
    std::vector<std::vector<double>> m_slots;
    SlotId m_headInput = kNone;
};

}  // namespace

Result<std::unique_ptr<Session>> makeReferenceSession(const graph::Program& program,
                                                      const std::vector<Weight>& weights,
                                                      const std::vector<std::uint32_t>& segments,
                                                      const SessionOptions& options, unsigned threads) {
    LOADER_CHECK(checkAdapters(program, options.adapters));
    return std::unique_ptr<Session>(
        std::make_unique<ReferenceSession>(program, weights, segments, options, threads));
}

}  // namespace loader::backend
