// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a step is made of, without a device: every operation becomes dispatches, each of which stays within
// its buffers and the device's grid, whatever the shape; and windows hold whole rows that a device can bind.

#include <QTest>
#include <algorithm>
#include <cstring>
#include <random>

#include "backends/vulkan/exec/load_plan.h"
#include "backends/vulkan/exec/lowering.h"
#include "backends/vulkan/exec/needed_pipelines.h"
#include "tests/support/model_parts.h"

using namespace loader;
using namespace loader::vulkan;

namespace {

DeviceLimits limitsWith(std::uint64_t windowBytes) {
    DeviceLimits limits;
    limits.windowBytes = windowBytes;
    limits.allocationBytes = std::uint64_t{1} << 30;
    limits.invocations = 256;
    limits.sharedBytes = 32768;
    limits.subgroupMost = 32;
    limits.matrix = {16, 16, 16};
    // So few that grids have to be folded.
    limits.groupsX = 7;
    return limits;
}

template <class Push>
Push pushOf(const DispatchCommand& dispatch) {
    Push push;
    std::memcpy(&push, dispatch.push.data(), sizeof push);
    return push;
}

/// One past the last word that `rows` rows of `width` words reach.
std::uint64_t endOf(std::uint64_t offset, std::uint64_t stride, std::uint64_t rows, std::uint64_t width) {
    return rows == 0 ? 0 : offset + (rows - 1) * stride + width;
}

/// One past the last word of the arena that a dispatch touches.
std::uint64_t arenaEnd(const DispatchCommand& dispatch, const SessionLayout& layout) {
    switch (dispatch.pipeline.shader) {
        case ShaderId::Norm: {
            const auto p = pushOf<NormPush>(dispatch);
            const std::uint64_t in = (p.parts - 1) * std::uint64_t{p.inPartStride} + p.width;
            const std::uint64_t out = (p.parts - 1) * std::uint64_t{p.outPartStride} + p.width;
            return std::max(endOf(p.inOffset, p.inStride, p.rows, in),
                            endOf(p.outOffset, p.outStride, p.rows, out));
        }
        case ShaderId::RopeStore: {
            const auto p = pushOf<RopePush>(dispatch);
            return std::max({endOf(p.queryOffset, p.queryStride, p.tokens, p.heads * p.keyLength),
                             endOf(p.keyOffset, p.keyStride, p.tokens, p.kvHeads * p.keyLength),
                             endOf(p.valueOffset, p.valueStride, p.tokens, p.kvHeads * p.valueLength)});
        }
        case ShaderId::Attend:
        case ShaderId::AttendMerge: {
            const auto p = pushOf<AttendPush>(dispatch);
            const std::uint64_t parts = std::uint64_t{p.heads} * p.splits * (p.valueLength + 2);
            return std::max({endOf(p.queryOffset, p.queryStride, p.tokens, p.heads * p.keyLength),
                             endOf(p.outOffset, p.outStride, p.tokens, p.heads * p.valueLength),
                             p.splits > 1 ? p.partOffset + p.tokens * parts : 0});
        }
        case ShaderId::Activate: {
            const auto p = pushOf<ActivatePush>(dispatch);
            return std::max({endOf(p.gateOffset, p.gateStride, p.tokens, p.width),
                             endOf(p.upOffset, p.upStride, p.tokens, p.width),
                             endOf(p.outOffset, p.outStride, p.tokens, p.width)});
        }
        case ShaderId::Route: {
            const auto p = pushOf<RoutePush>(dispatch);
            return std::max(endOf(p.scoresOffset, p.scoresStride, p.tokens, p.experts),
                            endOf(p.outOffset, p.outStride, p.tokens, 2 * p.used));
        }
        case ShaderId::ExpertSum: {
            const auto p = pushOf<ExpertSumPush>(dispatch);
            return std::max(endOf(p.partOffset, p.partStride, p.tokens, p.used * p.width),
                            endOf(p.outOffset, p.outStride, p.tokens, p.width));
        }
        case ShaderId::Quantise: {
            const auto p = pushOf<QuantisePush>(dispatch);
            const std::uint64_t in = (p.parts - 1) * std::uint64_t{p.inPartStride} + p.columns;
            const std::uint64_t out =
                (p.parts - 1) * std::uint64_t{p.outPartStride} + divideUp(p.columns, 32) * kFormWords;
            return std::max(endOf(p.inOffset, p.inStride, p.rows, in),
                            endOf(p.outOffset, p.outStride, p.rows, out));
        }
        case ShaderId::TokenBias: {
            const auto p = pushOf<TokenBiasPush>(dispatch);
            return endOf(p.logitsOffset, p.logitsStride, p.rows, p.vocabulary);
        }
        case ShaderId::TopTokens: {
            const auto p = pushOf<TopPush>(dispatch);
            const std::uint64_t in =
                endOf(p.inOffset, p.inStride, p.rows, p.first != 0 ? p.count : 2 * p.count);
            const std::uint64_t kept = std::uint64_t{2} * p.keep * divideUp(p.count, kTopChunk);
            return p.toResult != 0 ? in : std::max(in, endOf(p.outOffset, p.outStride, p.rows, kept));
        }
        default: break;
    }
    const auto p = pushOf<ProductPush>(dispatch);
    const std::uint64_t parts = p.routingOffset == LOADER_NONE ? 1 : p.used;
    const auto isOf = [&dispatch](ShaderId plain) {
        return dispatch.pipeline.shader >= plain &&
               dispatch.pipeline.shader <= ShaderId(int(plain) + int(WeightFamily::Grid));
    };
    const bool integer = isOf(ShaderId::MatvecInt8) || isOf(ShaderId::MatmulInt8);
    const std::uint64_t x = integer ? std::uint64_t{divideUp(p.columns, 32)} * kFormWords : p.columns;
    // Gathered rows may be any of the step's.
    const std::uint64_t rows = p.gatherOffset == LOADER_NONE ? p.tokens : layout.tokens;
    return std::max(endOf(p.xOffset, p.xStride, rows, (parts - 1) * p.xPartStride + x),
                    endOf(p.outOffset, p.outStride, p.tokens, (parts - 1) * p.outPartStride + p.rows));
}

struct Case {
    test::ModelParts parts;
    graph::Program program;
    std::vector<std::uint32_t> segments;
};

Case makeCase(const std::string& variant, quant::TensorType type) {
    Case made;
    made.parts = test::makeVariant(variant, type).value();
    made.program = made.parts.lower().value().program;
    for (std::uint32_t i = 0; i < made.program.segments.size(); ++i)
        made.segments.push_back(i);
    return made;
}

}  // namespace

class TestVulkanLowering : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyOperationRunsInBounds_data();
    void everyOperationRunsInBounds();
    void headsRunInBounds();
    void windowsHoldWholeRows_data();
    void windowsHoldWholeRows();
    void largeContextIsRefused();
    void matrixUnitsTakeManyTokens_data();
    void matrixUnitsTakeManyTokens();
    void matrixTilesFitTheDevice_data();
    void matrixTilesFitTheDevice();

private:
    void check(const CommandList& list, const LoweringContext& context);
};

void TestVulkanLowering::check(const CommandList& list, const LoweringContext& context) {
    for (const Command& command : list.commands) {
        if (const auto* copy = std::get_if<Copy>(&command)) {
            const auto size = [&](BufferName name) {
                switch (name) {
                    case BufferName::Upload: return context.layout.uploadWords;
                    case BufferName::Step: return context.layout.stepWords;
                    case BufferName::Arena: return context.layout.arenaWords;
                    case BufferName::Result: return context.layout.resultWords;
                }
                return std::uint64_t{0};
            };
            QVERIFY(copy->fromWord + copy->words <= size(copy->from));
            QVERIFY(copy->toWord + copy->words <= size(copy->to));
        }
        const auto* dispatch = std::get_if<DispatchCommand>(&command);
        if (dispatch == nullptr) continue;
        const auto& groups = dispatch->groups;
        QVERIFY(groups[0] > 0 && groups[1] > 0 && groups[2] > 0 && groups[0] <= context.limits.groupsX * 64);
        QVERIFY(arenaEnd(*dispatch, context.layout) <= context.layout.arenaWords);
        if (dispatch->weights != kNoWindow) QVERIFY(dispatch->weights < context.weights.windows);
        if (dispatch->secondWeights != kNoWindow) QVERIFY(dispatch->secondWeights < context.weights.windows);
        if (dispatch->kvLayer != kNoWindow) QVERIFY(dispatch->kvLayer < context.program.kvLayers.size());
        QVERIFY(allShaders()[static_cast<std::size_t>(dispatch->pipeline.shader)].tier <=
                FeatureTier::Flexible);
    }
}

void TestVulkanLowering::everyOperationRunsInBounds_data() {
    QTest::addColumn<QString>("variant");
    QTest::addColumn<int>("type");
    QTest::addColumn<int>("tier");
    for (const std::string_view variant : test::modelVariants()) {
        const QString name = QString::fromStdString(std::string(variant));
        for (const FeatureTier tier :
             {FeatureTier::Fp32, FeatureTier::Int8, FeatureTier::Matrix, FeatureTier::Flexible}) {
            QTest::addRow("%s F32 %d", qPrintable(name), int(tier))
                << name << int(quant::TensorType::F32) << int(tier);
            if (test::takesAnyType(variant))
                QTest::addRow("%s Q4_K %d", qPrintable(name), int(tier))
                    << name << int(quant::TensorType::Q4_K) << int(tier);
        }
    }
}

void TestVulkanLowering::everyOperationRunsInBounds() {
    QFETCH(const QString, variant);
    QFETCH(const int, type);
    QFETCH(const int, tier);
    const Case one = makeCase(variant.toStdString(), static_cast<quant::TensorType>(type));
    const DeviceLimits limits = limitsWith(600 << 10);
    const WeightLayout weights = WeightLayout::make(one.program, one.segments, limits);
    QVERIFY(weights.unsupported.empty());
    std::mt19937 random(7);
    for (int round = 0; round < 15; ++round) {
        const auto capacity = static_cast<std::uint32_t>(1 + random() % 70);
        const SessionLayout layout = SessionLayout::make(one.program, one.segments, capacity, 0, limits);
        const KernelChoice kernels(static_cast<FeatureTier>(tier), limits, false);
        const LoweringContext context{one.program,        weights, layout, kernels, limits,
                                      graph::KvType::F16, 256,     {}};
        Lowering lowering(context);
        StepShape shape;
        shape.tokens = static_cast<std::uint32_t>(1 + random() % capacity);
        shape.mixed = random() % 2 == 0;
        if (shape.tokens <= kSplitTokens) shape.splits = 1u << random() % 5;
        const auto entering = enteringSlots(one.program, one.segments);
        check(lowering.inputs(shape, entering), context);
        check(lowering.leaving(shape), context);
        for (const graph::Segment& segment : one.program.segments) {
            check(lowering.segment(segment, shape), context);
            for (const graph::Op& op : segment.ops) {
                if (std::holds_alternative<graph::EmbedOp>(op) || std::holds_alternative<graph::HeadOp>(op))
                    continue;
                graph::Segment alone = segment;
                alone.ops = {op};
                // Nothing that is placed here runs anywhere else.
                QVERIFY2(!pipelinesOf(lowering.segment(alone, shape)).empty(),
                         std::string(graph::nameOf(op)).c_str());
            }
        }
    }
}

void TestVulkanLowering::headsRunInBounds() {
    const Case one = makeCase("llama", quant::TensorType::F32);
    const DeviceLimits limits = limitsWith(1 << 20);
    const WeightLayout weights = WeightLayout::make(one.program, one.segments, limits);
    const SessionLayout layout = SessionLayout::make(one.program, one.segments, 40, 0, limits);
    const KernelChoice kernels(FeatureTier::Int8, limits, false);
    const LoweringContext context{one.program, weights, layout, kernels, limits, graph::KvType::F16, 256, {}};
    const auto& head = std::get<graph::HeadOp>(one.program.segments.back().ops.back());
    Lowering lowering(context);
    for (const std::uint32_t rows : {1u, 7u, kHeadRows}) {
        for (const std::uint32_t top : {0u, 1u, 40u, kMostTop}) {
            for (const std::uint32_t biases : {0u, 1u, kMostBias}) {
                const HeadShape shape{rows, top, biases};
                check(lowering.head(head, shape), context);
                const HeadResult result = lowering.headResult(shape);
                QVERIFY(std::uint64_t{rows} * (result.stride + result.sumsStride) <= layout.resultWords);
            }
        }
    }
}

void TestVulkanLowering::windowsHoldWholeRows_data() {
    QTest::addColumn<qulonglong>("windowBytes");
    QTest::newRow("tiny") << 9000ull;
    QTest::newRow("64 KiB") << 65536ull;
    QTest::newRow("all at once") << (1ull << 32);
}

void TestVulkanLowering::windowsHoldWholeRows() {
    QFETCH(const qulonglong, windowBytes);
    const Case one = makeCase("llama", quant::TensorType::Q6_K);
    const DeviceLimits limits = limitsWith(windowBytes);
    const WeightLayout layout = WeightLayout::make(one.program, one.segments, limits);
    QVERIFY(layout.unsupported.empty());
    for (const auto& [id, matrix] : layout.matrices) {
        std::uint32_t row = 0;
        for (const WeightWindow& window : matrix.windows) {
            QCOMPARE(window.firstRow, row);
            QVERIFY(window.rows > 0);
            QCOMPARE(window.offset % limits.alignment, 0ull);
            QVERIFY(window.bytes <= windowBytes);
            QVERIFY(window.offset + window.bytes <= layout.blocks[window.block]);
            row += window.rows;
        }
        QCOMPARE(row, matrix.rows);
    }
    const auto refused = WeightLayout::make(one.program, one.segments, limitsWith(300));
    QVERIFY(!refused.unsupported.empty());
}

void TestVulkanLowering::largeContextIsRefused() {
    const Case one = makeCase("llama", quant::TensorType::F32);
    backend::LoadOptions options;
    options.contextTokens = 1000;
    QVERIFY(planOn(one.program, one.segments, limitsWith(64 << 20), options).report.unsupported.empty());
    options.contextTokens = 100'000'000;
    const auto report = planOn(one.program, one.segments, limitsWith(64 << 20), options).report;
    QCOMPARE(report.unsupported.size(), std::size_t(1));
    // A window that holds few tokens makes steps shorter, and nothing else.
    options.contextTokens = 64;
    const DeviceLimits small = limitsWith(256 << 10);
    const backend::LoadOptions fitted = planOn(one.program, one.segments, small, options).options;
    QVERIFY(fitted.batchTokens < options.batchTokens && fitted.batchTokens > 0);
}

void TestVulkanLowering::matrixUnitsTakeManyTokens_data() {
    QTest::addColumn<int>("tier");
    QTest::addColumn<QString>("shader");
    QTest::newRow("matrix") << int(FeatureTier::Matrix) << "MatmulMatrixK";
    QTest::newRow("flexible") << int(FeatureTier::Flexible) << "MatmulFlexibleK";
}

void TestVulkanLowering::matrixUnitsTakeManyTokens() {
    QFETCH(const int, tier);
    QFETCH(const QString, shader);
    const Case one = makeCase("llama", quant::TensorType::Q4_K);
    const DeviceLimits limits = limitsWith(1 << 20);
    const WeightLayout weights = WeightLayout::make(one.program, one.segments, limits);
    const SessionLayout layout = SessionLayout::make(one.program, one.segments, 64, 0, limits);
    const KernelChoice kernels(static_cast<FeatureTier>(tier), limits, false);
    const LoweringContext context{one.program, weights, layout, kernels, limits, graph::KvType::F16, 256, {}};
    for (const std::uint32_t tokens :
         {1u, KernelChoice::kVectorTokens, KernelChoice::kVectorTokens + 1, 64u}) {
        const bool few = tokens <= KernelChoice::kVectorTokens;
        std::size_t products = 0;
        Lowering lowering(context);
        std::vector<PipelineKey> keys;
        for (const graph::Segment& segment : one.program.segments) {
            const auto more = pipelinesOf(lowering.segment(segment, {tokens, false, 1}));
            keys.insert(keys.end(), more.begin(), more.end());
        }
        for (const PipelineKey& key : keys) {
            const std::string name(allShaders()[static_cast<std::size_t>(key.shader)].name);
            QVERIFY2(few || name != "Quantise", "matrix units take floats");
            if (!name.starts_with("Mat")) continue;
            ++products;
            QCOMPARE(name, few ? std::string("MatvecInt8K") : shader.toStdString());
        }
        QVERIFY(products > 4);
    }
}

void TestVulkanLowering::matrixTilesFitTheDevice_data() {
    QTest::addColumn<quint32>("subgroup");
    QTest::addColumn<quint32>("invocations");
    QTest::addColumn<quint32>("rows");
    QTest::addColumn<quint32>("tokens");
    QTest::newRow("software") << 8u << 1024u << 8u << 8u;
    QTest::newRow("large cards") << 32u << 1024u << 16u << 16u;
    QTest::newRow("flat matrices") << 32u << 256u << 8u << 16u;
    QTest::newRow("wide subgroups") << 128u << 256u << 16u << 16u;
    QTest::newRow("one subgroup at a time") << 128u << 128u << 16u << 8u;
}

void TestVulkanLowering::matrixTilesFitTheDevice() {
    QFETCH(const quint32, subgroup);
    QFETCH(const quint32, invocations);
    QFETCH(const quint32, rows);
    QFETCH(const quint32, tokens);
    DeviceLimits limits = limitsWith(1 << 20);
    limits.subgroupMost = subgroup;
    limits.invocations = invocations;
    limits.matrix = {rows, tokens, 16};
    const KernelChoice kernels(FeatureTier::Matrix, limits, false);
    for (const std::uint32_t count : {9u, 33u, 512u}) {
        const Choice choice = kernels.matmul(quant::TensorType::Q8_0, count);
        const auto& constants = choice.key.constants;
        QVERIFY(constants[0] <= invocations && constants[0] % subgroup == 0);
        QVERIFY(constants[2] == choice.rows && constants[3] == choice.tokens);
        QVERIFY(constants[2] % constants[4] == 0 && constants[3] % constants[5] == 0);
        QVERIFY(constants[4] % rows == 0 && constants[5] % tokens == 0);
        const std::uint32_t parts = choice.rows / constants[4] * (choice.tokens / constants[5]);
        QVERIFY(parts * subgroup <= constants[0]);
        // As the shader's head says.
        QVERIFY(80 * (choice.rows + choice.tokens) + 4 * rows * tokens * parts + 8 <= limits.sharedBytes);
        const Choice flexible =
            KernelChoice(FeatureTier::Flexible, limits, false).matmul(quant::TensorType::Q8_0, count);
        const auto& sizes = flexible.key.constants;
        QVERIFY(sizes.size() == 6 && sizes[0] <= invocations && sizes[0] % subgroup == 0);
        QVERIFY(sizes[2] % sizes[4] == 0 && sizes[3] % sizes[5] == 0);
        QVERIFY(sizes[4] % rows == 0 && sizes[5] % tokens == 0);
        QVERIFY(sizes[2] / sizes[4] * (sizes[3] / sizes[5]) * subgroup <= sizes[0]);
        QVERIFY(80 * (flexible.rows + flexible.tokens) + 8 <= limits.sharedBytes);
    }
}

QTEST_APPLESS_MAIN(TestVulkanLowering)
#include "tst_vulkan_lowering.moc"
