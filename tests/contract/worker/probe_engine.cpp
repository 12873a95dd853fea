// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/worker/probe_engine.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <numeric>

#include "backends/cpu/exec/cpu_backend.h"
#include "core/engine/arch/lower.h"
#include "core/engine/gguf/model_file.h"
#include "core/host/mapping_guard.h"

namespace loader::test {
namespace {

constexpr std::uint32_t kContext = 64;
constexpr std::array<TokenId, 12> kPrompt = {1, 5, 9, 2, 40, 41, 42, 7, 7, 8, 100, 3};
constexpr std::size_t kSingleTokens = 8;

double processorSeconds() {
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Result<std::vector<float>> computeIn(backend::Session& session) {
    LOADER_TRY(std::uint32_t length, session.truncate(0, 0));
    std::vector<float> all;
    const auto feed = [&](std::span<const TokenId> tokens) -> Status {
        std::vector<backend::BatchItem> batch(tokens.size());
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            batch[i].token = tokens[i];
            batch[i].position[0] = length + static_cast<std::uint32_t>(i);
            batch[i].wantsOutput = true;
        }
        backend::ForwardOutput out;
        LOADER_CHECK(session.forward(batch, {}, out, {}));
        length += static_cast<std::uint32_t>(tokens.size());
        all.insert(all.end(), out.values.begin(), out.values.end());
        return {};
    };
    LOADER_CHECK(feed(kPrompt));
    for (std::size_t i = 0; i < kSingleTokens; ++i) {
        const auto token = static_cast<TokenId>(10 + i);
        LOADER_CHECK(feed({&token, 1}));
    }
    return all;
}

}  // namespace

Result<std::unique_ptr<ProbeEngine>> ProbeEngine::load(const std::string& path, unsigned threads) {
    auto engine = std::make_unique<ProbeEngine>();
    host::LoadRequest request;
    request.path = path;
    request.backend = "cpu";
    request.contextTokens = kContext;
    request.threads = threads;
    LOADER_TRY(engine->m_model, host::LoadedModel::load(request, engine->m_registry));
    return engine;
}

Result<std::vector<float>> ProbeEngine::compute() {
    return computeIn(m_model->session());
}

Result<double> ProbeEngine::measure(std::size_t tokens) {
    backend::Session& session = m_model->session();
    std::uint32_t length = 0;
    const double before = processorSeconds();
    for (std::size_t i = 0; i < tokens; ++i) {
        if (i % kContext == 0) {
            LOADER_TRY(length, session.truncate(0, 0));
        }
        backend::BatchItem item;
        item.token = static_cast<TokenId>(10 + i % 100);
        item.position[0] = length++;
        item.wantsOutput = true;
        backend::ForwardOutput out;
        LOADER_CHECK(session.forward({&item, 1}, {}, out, {}));
    }
    return processorSeconds() - before;
}

Result<std::vector<float>> computeFromDescriptor(int descriptor) {
    struct stat facts {};
    if (::fstat(descriptor, &facts) != 0) return Error(Errc::X003, {"fstat"});
    const auto bytes = static_cast<std::size_t>(facts.st_size);
    void* data = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data == MAP_FAILED) return Error(Errc::X003, {"mmap"});
    const std::span content(static_cast<const std::byte*>(data), bytes);
    const host::MappingGuard guard(content);

    const gguf::MemoryFile memory{"model.gguf", content};
    LOADER_TRY(const auto file, gguf::ModelFile::openMemory({&memory, 1}, "model.gguf"));
    LOADER_CHECK(file->map());
    LOADER_TRY(const arch::Lowered lowered, arch::lower(file->metadata(), file->tensors()));
    std::vector<backend::Weight> weights;
    for (const graph::WeightRef& weight : lowered.program.weights) {
        const gguf::TensorInfo& tensor = file->tensors()[weight.fileTensor];
        weights.push_back({file->tensorData(tensor), -1, tensor.offset});
    }
    std::vector<std::uint32_t> segments(lowered.program.segments.size());
    std::iota(segments.begin(), segments.end(), 0u);
    backend::LoadOptions options;
    options.contextTokens = kContext;
    options.threads = kProbeThreads;
    cpu::CpuBackend cpu;
    LOADER_TRY(const auto model, cpu.load(lowered.program, weights, segments, "", options, nullptr, {}));
    backend::SessionOptions sessionOptions;
    sessionOptions.contextTokens = kContext;
    LOADER_TRY(const auto session, model->openSession(sessionOptions));
    return computeIn(*session);
}

}  // namespace loader::test
