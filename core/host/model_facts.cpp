// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/model_facts.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/engine/arch/lower.h"
#include "core/engine/gguf/keys.h"
#include "core/host/file_details.h"
#include "core/host/model_work.h"

namespace loader::host {
namespace {

using protocol::ModelFacts;
using protocol::PlanFacts;

/// Which tensors are counted already.
class Counter {
public:
    explicit Counter(const graph::Program& program)
        : m_program(program), m_counted(program.weights.size(), 0) {}

    std::uint64_t take(graph::TensorId id) {
        if (m_counted[id] != 0) return 0;
        m_counted[id] = 1;
        return m_program.weights[id].bytes;
    }
    bool counted(graph::TensorId id) const { return m_counted[id] != 0; }

private:
    const graph::Program& m_program;
    std::vector<char> m_counted;
};

bool isExpertOp(const graph::Op& op) {
    return std::holds_alternative<graph::ExpertGateUpOp>(op) ||
           std::holds_alternative<graph::ExpertDownOp>(op);
}

void addLayerOp(const graph::Program& program, const graph::Segment& segment, const graph::Op& op,
                Counter& counter, protocol::LayerFacts& layer) {
    std::uint64_t bytes = 0;
    for (const graph::TensorId id : graph::weightUse(op, program))
        bytes += counter.take(id);
    (segment.kind == graph::SegmentKind::Mixer ? layer.mixerBytes : layer.feedForwardBytes) += bytes;
    if (isExpertOp(op)) layer.expertBytes += bytes;
    layer.tokenBytes += static_cast<std::uint64_t>(usedPart(op) * static_cast<double>(bytes));
}

void addWeights(const graph::Program& program, ModelFacts& facts) {
    facts.layers.resize(program.layers);
    Counter layers(program);
    Counter embedding(program);
    Counter head(program);
    for (const graph::Segment& segment : program.segments) {
        for (const graph::Op& op : segment.ops) {
            if (segment.kind == graph::SegmentKind::Embedding) {
                for (const graph::TensorId id : graph::weightUse(op, program))
                    facts.embeddingBytes += embedding.take(id);
            } else if (segment.kind == graph::SegmentKind::Head) {
                for (const graph::TensorId id : graph::weightUse(op, program)) {
                    const std::uint64_t bytes = head.take(id);
                    facts.headBytes += bytes;
                    if (embedding.counted(id)) facts.sharedBytes += bytes;
                }
            } else if (segment.layer < facts.layers.size()) {
                addLayerOp(program, segment, op, layers, facts.layers[segment.layer]);
            }
        }
    }
    for (const graph::WeightRef& weight : program.weights)
        facts.weightBytes += weight.bytes;
}

void addWords(const gguf::Metadata& metadata, protocol::WordListFacts& words) {
    words.kind = std::string(metadata.text(gguf::keys::kTokenizerModel).value_or(""));
    const auto texts = metadata.texts(gguf::keys::kTokens);
    if (texts.ok()) {
        words.tokens = texts->size();
        for (std::size_t i = 0; i < texts->size(); ++i)
            words.textBytes += (*texts)[i].size();
    }
    words.merges = metadata.arrayLength(gguf::keys::kMerges).value_or(0);
    words.scores = metadata.contains(gguf::keys::kTokenScores);
}

protocol::ProductKind kindOf(Products products) {
    switch (products) {
        case Products::Int8: return protocol::ProductKind::Int8;
        case Products::Int16: return protocol::ProductKind::Int16;
        case Products::Float: break;
    }
    return protocol::ProductKind::Float;
}

/// Asks for plans; a size that the back end refuses leaves `failed` set.
class Questions {
public:
    Questions(backend::Backend& backend, const graph::Program& program, const std::string& tier)
        : m_backend(backend), m_program(program) {
        m_options.tier = tier;
        m_options.contextTokens = 1;
        m_segments.resize(program.segments.size());
        std::iota(m_segments.begin(), m_segments.end(), 0u);
        const auto devices = backend.devices();
        if (devices.ok() && !devices->empty()) m_device = devices->front().id;
    }

    backend::PlanReport ask(unsigned batch, unsigned threads, graph::KvType kv = graph::KvType::F16) {
        m_options.batchTokens = batch;
        m_options.threads = threads;
        m_options.kv = kv;
        auto report = m_backend.plan(m_program, m_segments, m_device, m_options);
        if (!report.ok()) {
            m_failed = true;
            return {};
        }
        return std::move(report).value();
    }
    std::uint64_t compute(unsigned batch, unsigned threads) { return ask(batch, threads).needed.compute; }
    bool failed() const { return m_failed; }

private:
    backend::Backend& m_backend;
    const graph::Program& m_program;
    backend::LoadOptions m_options;
    std::vector<std::uint32_t> m_segments;
    std::string m_device;
    bool m_failed = false;
};

std::uint64_t less(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
}

std::uint64_t formula(const PlanFacts& plan, std::uint64_t batch, std::uint64_t threads) {
    return plan.fixedBytes + plan.itemBytes * batch + plan.threadBytes * threads +
           std::min(plan.limitBytes, plan.limitedBytes * batch);
}

/// Batches so large that a limited buffer has reached its limit.
constexpr unsigned kLarge = 16384;
constexpr unsigned kLarger = 32768;

void solve(Questions& questions, PlanFacts& plan) {
    const std::uint64_t large = questions.compute(kLarge, 1);
    plan.itemBytes = less(questions.compute(kLarger, 1), large) / (kLarger - kLarge);
    plan.threadBytes = less(questions.compute(kLarge, 2), large);
    // Beyond the limit the rest is constant; of one and two items it still grows, by what the limited buffer
    // takes for each.
    const std::uint64_t rest = less(large, plan.itemBytes * kLarge + plan.threadBytes);
    const std::uint64_t one = less(questions.compute(1, 1), plan.itemBytes + plan.threadBytes);
    const std::uint64_t two = less(questions.compute(2, 1), 2 * plan.itemBytes + plan.threadBytes);
    plan.limitedBytes = less(two, one);
    plan.fixedBytes = less(one, plan.limitedBytes);
    plan.limitBytes = less(rest, plan.fixedBytes);
    if (plan.limitedBytes != 0) return;
    // One item alone reached the limit: then it is constant.
    plan.fixedBytes = std::max(one, rest);
    plan.limitBytes = 0;
}

}  // namespace

std::optional<PlanFacts> planFacts(backend::Backend& backend, const graph::Program& program,
                                   const std::string& tier) {
    Questions questions(backend, program, tier);
    PlanFacts plan;
    plan.backend = backend.id();
    const backend::PlanReport first = questions.ask(1, 1);
    if (questions.failed()) return std::nullopt;
    plan.unsupported = first.unsupported;
    if (!plan.unsupported.empty()) return plan;
    plan.outputBytes = first.needed.output;
    for (const graph::KvType type : {graph::KvType::F16, graph::KvType::Q8_0, graph::KvType::F32})
        plan.kvBytes.push_back(questions.ask(1, 1, type).needed.kv);
    solve(questions, plan);
    for (const unsigned batch : {1u, 7u, 64u, 100u, 512u, 2048u, kLarger}) {
        for (const unsigned threads : {1u, 3u, 16u})
            plan.fixedBytes += less(questions.compute(batch, threads), formula(plan, batch, threads));
    }
    if (questions.failed()) return std::nullopt;
    return plan;
}

ModelFacts factsOf(const gguf::ModelFile& file, const graph::Program& program) {
    ModelFacts facts;
    const gguf::Metadata& metadata = file.metadata();
    const auto types = typeShares(file.tensors());
    facts.name = std::string(metadata.text(gguf::keys::kName).value_or(""));
    facts.architecture = program.architecture;
    facts.mainType = mainType(types);
    for (const protocol::TypeShare& share : types)
        facts.parameters += share.values;
    facts.fileBytes = file.fileBytes();
    for (std::size_t i = 0; i < file.shards(); ++i)
        facts.headerBytes += file.shard(i).dataOffset();
    facts.tensors = static_cast<std::uint32_t>(file.tensors().size());
    facts.foreignByteOrder = file.byteOrder() != gguf::kHostOrder;
    facts.width = program.width;
    facts.vocabulary = program.vocabulary;
    facts.trainedContext = program.trainedContext;
    facts.positionLimit = program.positionLimit;
    addWeights(program, facts);
    for (const graph::KvLayer& kv : program.kvLayers)
        facts.kv.push_back({kv.layer, kv.kvHeads, kv.keyLength, kv.valueLength, kv.window});
    for (const graph::Slot& slot : program.slots)
        facts.activationFloats += slot.width;
    addWords(metadata, facts.words);
    const ModelWork work = workOf(program);
    facts.tokenBytes = work.weightBytes;
    facts.products = work.macs;
    facts.headProducts = work.headMacs;
    facts.productKind = kindOf(work.products);
    return facts;
}

Result<ModelFacts> readModelFacts(const std::string& path, std::span<backend::Backend* const> backends,
                                  const FactsOptions& options) {
    LOADER_TRY(const auto file, gguf::ModelFile::open(path));
    return readModelFacts(*file, backends, options);
}

Result<ModelFacts> readModelFacts(const gguf::ModelFile& file, std::span<backend::Backend* const> backends,
                                  const FactsOptions& options) {
    auto lowered = arch::lower(file.metadata(), file.tensors(), options.architecture);
    if (!lowered.ok()) return std::move(lowered).error().within(file.shardPath(0));
    ModelFacts facts = factsOf(file, lowered->program);
    for (backend::Backend* backend : backends) {
        auto plan = planFacts(*backend, lowered->program, options.tier);
        if (plan) facts.plans.push_back(std::move(*plan));
    }
    return facts;
}

}  // namespace loader::host
