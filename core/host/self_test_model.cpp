// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/self_test_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "core/engine/base/random.h"
#include "core/engine/quant/dequantize.h"
#include "core/engine/quant/quantize.h"

namespace loader::host {
namespace {

using quant::TensorType;

constexpr std::uint64_t kSeed = 2026;
constexpr std::uint32_t kHeads = 4;
constexpr std::uint32_t kKvHeads = 2;
constexpr std::uint32_t kHeadLength = SelfTestModel::kWidth / kHeads;
constexpr std::uint32_t kFeedForward = 256;
/// Matrices of a layer; the token table and the head are two more.
constexpr std::size_t kLayerMatrices = 7;

enum SlotOf : graph::SlotId { kStream, kNormed, kQuery, kKey, kValue, kAttended, kHidden };

/// Random bits, 16 bytes from each block of the generator.
class RandomBytes {
public:
    explicit RandomBytes(std::uint64_t stream) : m_stream(stream) {}

    void fill(std::span<std::byte> out) {
        for (std::byte& byte : out) {
            if (m_left == 0) next();
            const std::uint32_t word = m_block[(16 - m_left) / 4];
            byte = static_cast<std::byte>((word >> (8U * ((16 - m_left) % 4))) & 0xFFU);
            --m_left;
        }
    }

private:
    void next() {
        const auto stream = static_cast<std::uint32_t>(m_stream);
        m_block = philox4x32({m_count++, 0, stream, 1}, {static_cast<std::uint32_t>(kSeed), 0});
        m_left = 16;
    }

    std::uint64_t m_stream;
    std::uint32_t m_count = 0;
    std::array<std::uint32_t, 4> m_block{};
    unsigned m_left = 0;
};

/// About normally distributed with deviation 1: a sum of four uniform numbers.
float randomFloat(std::uint64_t stream, std::uint64_t index) {
    const auto words =
        philox4x32({static_cast<std::uint32_t>(index), 0, static_cast<std::uint32_t>(stream), 2},
                   {static_cast<std::uint32_t>(kSeed), 0});
    double sum = 0.0;
    for (const std::uint32_t word : words)
        sum += static_cast<double>(word) * 0x1.0p-32;
    return static_cast<float>((sum - 2.0) * 1.7);
}

/// Finite, of about the size that is wanted, and not all on one side of zero: otherwise the model would
/// amplify what devices round differently.
bool isUsable(std::span<const float> values, float size) {
    double sum = 0.0;
    double squares = 0.0;
    for (const float value : values) {
        sum += value;
        squares += double{value} * value;
    }
    const auto count = static_cast<double>(values.size());
    const double root = std::sqrt(squares / count);
    // Not a number fails every comparison.
    return root > 0.5 * size && root < 1.5 * size && std::abs(sum / count) < 0.5 * root;
}

/// Types that this program cannot write: random bits are searched for blocks that decode to usable numbers,
/// and rows are drawn from those.
Result<std::vector<std::byte>> rowsOfRandomBlocks(const quant::TypeInfo& info, std::size_t values, float size,
                                                  std::uint64_t stream) {
    constexpr std::size_t kDistinct = 48;
    constexpr int kAttempts = 50'000;
    RandomBytes random(stream);
    std::vector<std::byte> found;
    std::vector<std::byte> block(info.blockBytes);
    std::vector<float> decoded(info.blockValues);
    for (int attempt = 0; attempt < kAttempts && found.size() < kDistinct * block.size(); ++attempt) {
        random.fill(block);
        quant::dequantizeRow(info.type, block.data(), decoded.data(), decoded.size());
        if (isUsable(decoded, size)) found.insert(found.end(), block.begin(), block.end());
    }
    const std::size_t distinct = found.size() / block.size();
    if (distinct == 0)
        return Error(Errc::X003, {"no random block of " + std::string(info.name) + " is usable"});
    std::vector<std::byte> rows;
    std::vector<std::byte> pick(1);
    for (std::size_t i = 0; i < values / info.blockValues; ++i) {
        random.fill(pick);
        const std::size_t which = static_cast<std::size_t>(pick[0]) % distinct;
        const auto first = found.begin() + static_cast<std::ptrdiff_t>(which * block.size());
        rows.insert(rows.end(), first, first + static_cast<std::ptrdiff_t>(block.size()));
    }
    return rows;
}

Result<std::vector<std::byte>> randomRows(TensorType type, std::uint64_t columns, std::uint64_t rows,
                                          float size, std::uint64_t stream) {
    const quant::TypeInfo& info = quant::typeInfo(type);
    const auto values = static_cast<std::size_t>(columns * rows);
    if (columns % info.blockValues != 0)
        return Error(Errc::X003, {"no rows of " + std::string(info.name) + " of this length"});
    if (!quant::canQuantize(type)) return rowsOfRandomBlocks(info, values, size, stream);
    std::vector<float> numbers(values);
    for (std::size_t i = 0; i < values; ++i)
        numbers[i] = randomFloat(stream, i) * size;
    std::vector<std::byte> bytes(values / info.blockValues * info.blockBytes);
    LOADER_CHECK(quant::quantizeRow(type, numbers.data(), bytes.data(), values));
    return bytes;
}

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
    const float size = 1.0f / std::sqrt(static_cast<float>(columns));
    LOADER_TRY(auto data, randomRows(type, columns, rows, size, m_data.size()));
    addWeight(type, columns, rows, std::move(data));
    graph::Linear linear;
    linear.weight = static_cast<graph::TensorId>(m_data.size() - 1);
    return linear;
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
