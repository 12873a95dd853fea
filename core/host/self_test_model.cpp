// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/self_test_model.h"

#include <cmath>
#include <string>

#include "core/engine/quant/quantize.h"

namespace loader::host {
namespace {

using quant::TensorType;

constexpr std::uint32_t kHeads = 4;
constexpr std::uint32_t kKvHeads = 2;
constexpr std::uint32_t kHeadLength = SelfTestModel::kWidth / kHeads;
constexpr std::uint32_t kFeedForward = 256;
/// Matrices of a layer; the token table and the head are two more.
constexpr std::size_t kLayerMatrices = 7;

enum SlotOf : graph::SlotId { kStream, kNormed, kQuery, kKey, kValue, kAttended, kHidden };

graph::Rope rotation() {
    graph::Rope rope;
    rope.pairs = graph::RopePairs::Halves;
    for (std::uint32_t i = 0; i < kHeadLength / 2; ++i)
        rope.frequencies.push_back(std::pow(10000.0, -2.0 * i / kHeadLength));
    return rope;
}

}  // namespace

Result<std::unique_ptr<SelfTestModel>> SelfTestModel::make(std::span<const TensorType> types) {
    auto model = std::unique_ptr<SelfTestModel>(new SelfTestModel());
    model->m_types.assign(types.begin(), types.end());
    if (types.empty())
        model->m_types = {TensorType::F16, TensorType::Q8_0, TensorType::Q4_K, TensorType::Q6_K};
    graph::Program& program = model->m_program;
    const std::size_t inLayers = model->m_types.size() > 2 ? model->m_types.size() - 2 : 1;
    program.layers = static_cast<std::uint32_t>((inLayers + kLayerMatrices - 1) / kLayerMatrices);
    program.width = kWidth;
    program.vocabulary = kVocabulary;
    program.ropes.push_back(rotation());
    model->addSlots();

    graph::EmbedOp embed;
    LOADER_TRY(const graph::Linear table, model->matrix(kWidth, kVocabulary));
    embed.tokens = table.weight;
    // Rows of a matrix have the size of its inputs' share; a stream starts at about 1.
    embed.scale = std::sqrt(static_cast<float>(kWidth));
    embed.out = kStream;
    program.segments.push_back({graph::SegmentKind::Embedding, 0, {embed}, {}});
    for (std::uint32_t layer = 0; layer < program.layers; ++layer)
        LOADER_CHECK(model->addLayer(layer));
    LOADER_CHECK(model->addHead());
    program.finish();
    for (const std::vector<std::byte>& bytes : model->m_data)
        model->m_weights.push_back({bytes, -1, 0});
    return model;
}

void SelfTestModel::addSlots() {
    m_program.slots = {{"stream", kWidth},
                       {"normed", kWidth},
                       {"query", kHeads * kHeadLength},
                       {"key", kKvHeads * kHeadLength},
                       {"value", kKvHeads * kHeadLength},
                       {"attended", kHeads * kHeadLength},
                       {"hidden", kFeedForward}};
}

Status SelfTestModel::addLayer(std::uint32_t layer) {
    graph::Segment mixer{graph::SegmentKind::Mixer, layer, {}, {}};
    const graph::NormOp mixerNorm = norm();
    graph::QkvOp qkv;
    LOADER_TRY(qkv.query, matrix(kWidth, kHeads * kHeadLength));
    LOADER_TRY(qkv.key, matrix(kWidth, kKvHeads * kHeadLength));
    LOADER_TRY(qkv.value, matrix(kWidth, kKvHeads * kHeadLength));
    qkv.heads = kHeads;
    qkv.kvHeads = kKvHeads;
    qkv.keyLength = kHeadLength;
    qkv.valueLength = kHeadLength;
    qkv.in = kNormed;
    qkv.queryOut = kQuery;
    qkv.keyOut = kKey;
    qkv.valueOut = kValue;
    m_program.kvLayers.push_back({layer, kKvHeads, kHeadLength, kHeadLength, 0});
    graph::AttendOp attend;
    attend.kvLayer = layer;
    attend.heads = kHeads;
    attend.scale = 1.0f / std::sqrt(static_cast<float>(kHeadLength));
    attend.query = kQuery;
    attend.out = kAttended;
    graph::ProjectOp project;
    LOADER_TRY(project.linear, matrix(kWidth, kWidth));
    project.in = kAttended;
    project.out = kStream;
    project.accumulate = true;
    mixer.ops = {mixerNorm, qkv, graph::RopeStoreOp{0, layer, kHeads, kQuery, kKey, kValue}, attend, project};
    m_program.segments.push_back(std::move(mixer));

    graph::Segment feedForward{graph::SegmentKind::FeedForward, layer, {}, {}};
    const graph::NormOp feedForwardNorm = norm();
    graph::GateUpOp gateUp;
    LOADER_TRY(gateUp.gate, matrix(kWidth, kFeedForward));
    LOADER_TRY(gateUp.up, matrix(kWidth, kFeedForward));
    gateUp.in = kNormed;
    gateUp.out = kHidden;
    graph::ProjectOp down;
    LOADER_TRY(down.linear, matrix(kFeedForward, kWidth));
    down.in = kHidden;
    down.out = kStream;
    down.accumulate = true;
    feedForward.ops = {feedForwardNorm, gateUp, down};
    m_program.segments.push_back(std::move(feedForward));
    return {};
}

Status SelfTestModel::addHead() {
    const graph::NormOp lastNorm = norm();
    graph::HeadOp head;
    LOADER_TRY(head.linear, matrix(kWidth, kVocabulary));
    head.in = kNormed;
    m_program.segments.push_back({graph::SegmentKind::Head, 0, {lastNorm, head}, {}});
    return {};
}

/// The types take turns.
Result<graph::Linear> SelfTestModel::matrix(std::uint64_t columns, std::uint64_t rows) {
    const TensorType type = m_types[m_matrices++ % m_types.size()];
    LOADER_TRY(auto data, randomMatrix(type, static_cast<std::size_t>(columns * rows)));
    addWeight(type, columns, rows, std::move(data));
    graph::Linear linear;
    linear.weight = static_cast<graph::TensorId>(m_data.size() - 1);
    return linear;
}

Result<std::vector<std::byte>> SelfTestModel::randomMatrix(TensorType type, std::size_t values) {
    const quant::TypeInfo& info = quant::typeInfo(type);
    // Every matrix has rows of this length, and outputs of about the size of its inputs.
    const float size = 1.0f / std::sqrt(static_cast<float>(kWidth));
    const std::uint64_t stream = m_data.size();
    if (kWidth % info.blockValues != 0)
        return Error(Errc::X003, {"no rows of " + std::string(info.name) + " of this length"});
    if (info.blockValues > 1) {
        auto made = m_blocks.find(type);
        if (made == m_blocks.end()) {
            LOADER_TRY(RandomBlocks blocks, RandomBlocks::make(type, size));
            made = m_blocks.emplace(type, std::move(blocks)).first;
        }
        return made->second.rows(values, stream);
    }
    std::vector<float> numbers(values);
    for (std::size_t i = 0; i < values; ++i)
        numbers[i] = randomFloat(stream, i) * size;
    std::vector<std::byte> rows(values * info.blockBytes);
    LOADER_CHECK(quant::quantizeRow(type, numbers.data(), rows.data(), values));
    return rows;
}

graph::NormOp SelfTestModel::norm() {
    // Around 1, as trained norms are.
    std::vector<float> values(kWidth);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = 1.0f + 0.1f * randomFloat(m_data.size(), i);
    const auto bytes = std::as_bytes(std::span(values));
    addWeight(TensorType::F32, kWidth, 1, {bytes.begin(), bytes.end()});
    graph::NormOp op;
    op.weight = static_cast<graph::TensorId>(m_data.size() - 1);
    op.epsilon = 1e-5f;
    op.in = kStream;
    op.out = kNormed;
    return op;
}

void SelfTestModel::addWeight(TensorType type, std::uint64_t columns, std::uint64_t rows,
                              std::vector<std::byte> data) {
    graph::WeightRef weight;
    weight.name = "self-test." + std::to_string(m_data.size());
    weight.type = type;
    weight.columns = columns;
    weight.rows = rows;
    weight.bytes = data.size();
    weight.rowBytes = data.size() / rows;
    weight.fileTensor = static_cast<std::uint32_t>(m_data.size());
    m_program.weights.push_back(std::move(weight));
    m_data.push_back(std::move(data));
}

}  // namespace loader::host
