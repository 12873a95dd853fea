// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/backend/running_model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <numeric>

#include "backends/cpu/exec/cpu_backend.h"
#include "backends/cpu/isa/cpu_features.h"
#include "backends/fake/fake_backend.h"
#include "backends/reference/reference_backend.h"
#include "core/engine/base/random.h"
#include "core/host/split_model.h"
#include "tests/contract/backend/vulkan_subjects.h"

namespace loader::test {
namespace {

std::vector<Subject> makeSubjects() {
    std::vector<Subject> list{{"reference", "reference", "", true}};
    for (const cpu::IsaTier tier : cpu::allTiers()) {
        if (tier > cpu::detectTier()) continue;
        const std::string name(cpu::tierName(tier));
        list.push_back({"cpu-" + name, "cpu", name, true});
    }
    list.push_back({"fake", "fake", "", false});
    for (Subject& subject : vulkanSubjects()) {
        if (subject.tier == "fp32") list.push_back(std::move(subject));
    }
    return list;
}

double deviation(const std::vector<float>& row) {
    const auto count = static_cast<double>(row.size());
    const double mean = std::accumulate(row.begin(), row.end(), 0.0) / count;
    double squares = 0.0;
    for (const float value : row)
        squares += (value - mean) * (value - mean);
    return std::sqrt(squares / count);
}

backend::LoadOptions loadOptionsOf(const Subject& subject, const RunOptions& options) {
    backend::LoadOptions load;
    load.threads = options.threads;
    load.batchTokens = options.batchTokens;
    load.contextTokens = options.context;
    load.sequences = options.sequences;
    load.kv = options.kv;
    load.tier = subject.tier;
    return load;
}

std::vector<std::uint32_t> range(std::uint32_t begin, std::uint32_t end) {
    std::vector<std::uint32_t> values(end - begin);
    std::iota(values.begin(), values.end(), begin);
    return values;
}

double cosineOf(const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += double{a[i]} * b[i];
        aa += double{a[i]} * a[i];
        bb += double{b[i]} * b[i];
    }
    return ab / std::sqrt(aa * bb);
}

}  // namespace

std::unique_ptr<backend::Backend> Subject::make() const {
    if (backend == "cpu") return std::make_unique<cpu::CpuBackend>();
    if (backend == "fake") return std::make_unique<fake::FakeBackend>();
    if (backend == "vulkan") return makeVulkan(true);
    if (backend == "vulkan as users have it") return makeVulkan(false);
    return std::make_unique<backend::ReferenceBackend>();
}

bool Subject::takesFew() const {
    return backend == "vulkan" && std::getenv("LOADER_TEST_LONG") == nullptr;
}

std::span<const Subject> subjects() {
    static const std::vector<Subject> list = makeSubjects();
    return list;
}

std::span<const Subject> roundingSubjects() {
    static const std::vector<Subject> list = [] {
        std::vector<Subject> rounding = vulkanSubjects();
        std::erase_if(rounding, [](const Subject& subject) { return subject.tier == "fp32"; });
        return rounding;
    }();
    return list;
}

const Subject& oracle() {
    return subjects().front();
}

const Subject& subjectNamed(const std::string& name) {
    for (const auto& list : {subjects(), roundingSubjects()}) {
        for (const Subject& subject : list) {
            if (subject.name == name) return subject;
        }
    }
    return oracle();
}

Result<SourcePointer> sourceOf(ModelParts parts) {
    auto source = std::make_shared<Source>();
    source->parts = std::move(parts);
    LOADER_TRY(arch::Lowered lowered, source->parts.lower());
    source->program = std::move(lowered.program);
    source->weights = source->parts.weights(source->program);
    return SourcePointer(std::move(source));
}

Result<SourcePointer> sourceOf(std::string_view variant, quant::TensorType type) {
    static std::map<std::pair<std::string, quant::TensorType>, SourcePointer> made;
    SourcePointer& known = made[{std::string(variant), type}];
    if (!known) {
        LOADER_TRY(ModelParts parts, makeVariant(variant, type));
        LOADER_TRY(known, sourceOf(std::move(parts)));
    }
    return known;
}

SourcePointer withWindow(const SourcePointer& source, std::uint32_t window) {
    auto changed = std::make_shared<Source>();
    changed->parts = source->parts.clone();
    changed->program = source->program;
    for (graph::KvLayer& layer : changed->program.kvLayers)
        layer.window = window;
    changed->weights = changed->parts.weights(changed->program);
    return changed;
}

Result<std::unique_ptr<RunningModel>> RunningModel::open(const Subject& subject, SourcePointer source,
                                                         const RunOptions& options) {
    auto running = std::make_unique<RunningModel>();
    running->m_source = std::move(source);
    running->m_backends.push_back(subject.make());
    const Source& model = *running->m_source;
    std::vector<std::uint32_t> segments = options.segments;
    if (segments.empty()) segments = range(0, static_cast<std::uint32_t>(model.program.segments.size()));
    LOADER_TRY(running->m_model,
               running->m_backends.front()->load(model.program, model.weights, segments, "",
                                                 loadOptionsOf(subject, options), nullptr, {}));
    LOADER_CHECK(running->start(options));
    return running;
}

Result<std::unique_ptr<RunningModel>> RunningModel::openSplit(std::span<const PartSpec> parts,
                                                              SourcePointer source,
                                                              const RunOptions& options) {
    auto running = std::make_unique<RunningModel>();
    running->m_source = std::move(source);
    const Source& model = *running->m_source;
    std::vector<host::ModelPart> loaded;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const Subject& subject = subjectNamed(parts[i].subject);
        const std::size_t end =
            i + 1 < parts.size() ? parts[i + 1].firstSegment : model.program.segments.size();
        host::ModelPart part;
        part.segments = range(parts[i].firstSegment, static_cast<std::uint32_t>(end));
        running->m_backends.push_back(subject.make());
        LOADER_TRY(part.model, running->m_backends.back()->load(
                                   model.program, model.weights, part.segments, parts[i].device,
                                   loadOptionsOf(subject, options), nullptr, {}));
        loaded.push_back(std::move(part));
    }
    LOADER_TRY(running->m_model,
               host::SplitModel::make(model.program, std::move(loaded), options.batchTokens));
    LOADER_CHECK(running->start(options));
    return running;
}

Status RunningModel::start(const RunOptions& options) {
    m_lengths.assign(options.sequences, 0);
    backend::SessionOptions session;
    session.contextTokens = options.context;
    session.sequences = options.sequences;
    session.kv = options.kv;
    session.adapters = options.adapters;
    LOADER_TRY(m_session, m_model->openSession(session));
    return {};
}

Result<Rows> RunningModel::extend(std::span<const TokenId> tokens, std::uint32_t sequence,
                                  const backend::OutputRequest& request) {
    return evaluate(itemsOf(tokens, sequence), request);
}

Result<Rows> RunningModel::evaluate(std::vector<backend::BatchItem> items,
                                    const backend::OutputRequest& request, CancelToken cancel) {
    std::vector<std::uint32_t> lengths = m_lengths;
    for (backend::BatchItem& item : items)
        item.position[0] = lengths[item.sequence]++;
    LOADER_CHECK(m_session->forward(items, request, m_out, cancel));
    m_lengths = std::move(lengths);
    Rows rows;
    for (std::size_t begin = 0; m_out.rowWidth != 0 && begin < m_out.values.size(); begin += m_out.rowWidth) {
        const auto first = m_out.values.begin() + static_cast<std::ptrdiff_t>(begin);
        rows.emplace_back(first, first + static_cast<std::ptrdiff_t>(m_out.rowWidth));
    }
    return rows;
}

Status RunningModel::truncate(std::uint32_t sequence, std::uint32_t position) {
    LOADER_TRY(m_lengths[sequence], m_session->truncate(sequence, position));
    return {};
}

Status RunningModel::copy(std::uint32_t from, std::uint32_t to) {
    LOADER_CHECK(m_session->copy(from, to));
    m_lengths[to] = m_lengths[from];
    return {};
}

Status RunningModel::restore(std::uint32_t sequence, std::span<const std::byte> saved, std::uint32_t length) {
    LOADER_CHECK(m_session->restore(sequence, saved));
    m_lengths[sequence] = length;
    return {};
}

std::vector<TokenId> randomTokens(std::size_t count, std::uint64_t seed, TokenId vocabulary) {
    std::vector<TokenId> tokens(count);
    for (std::size_t i = 0; i < count; ++i)
        tokens[i] = static_cast<TokenId>(uniformAt(seed, 7, i, 0) * vocabulary);
    return tokens;
}

std::vector<backend::BatchItem> itemsOf(std::span<const TokenId> tokens, std::uint32_t sequence) {
    std::vector<backend::BatchItem> items(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        items[i].token = tokens[i];
        items[i].sequence = sequence;
        items[i].wantsOutput = true;
    }
    return items;
}

Distance distance(const Rows& measured, const Rows& expected) {
    Distance result;
    result.sameShape = measured.size() == expected.size();
    for (std::size_t r = 0; result.sameShape && r < expected.size(); ++r) {
        result.sameShape = measured[r].size() == expected[r].size();
        if (!result.sameShape) break;
        const double spread = deviation(expected[r]);
        const double cosine = cosineOf(measured[r], expected[r]);
        // Not std::min: a NaN must not get lost, and stays.
        if (!std::isnan(result.cosine) && !(cosine >= result.cosine)) result.cosine = cosine;
        for (std::size_t i = 0; i < expected[r].size(); ++i) {
            const double difference = std::abs(double{measured[r][i]} - expected[r][i]) / spread;
            if (!std::isnan(result.worst) && !(difference <= result.worst)) result.worst = difference;
        }
    }
    if (!result.sameShape) {
        result.cosine = -1.0;
        result.worst = std::numeric_limits<double>::infinity();
    }
    return result;
}

}  // namespace loader::test
