// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/model_weights.h"

#include <algorithm>
#include <new>

#include "core/engine/base/memory_facts.h"
#include "core/engine/quant/dequantize.h"

#ifndef _WIN32
#include <sys/mman.h>
#include <sys/resource.h>
#endif

namespace loader::host {
namespace {

constexpr std::align_val_t kAlignment{64};
constexpr std::uint64_t kReadStep = 16ull << 20;

std::intptr_t descriptorOf(const gguf::ModelFile& file, std::uint32_t shard) {
    const auto* source = dynamic_cast<const FileSource*>(&file.source(shard));
    return source ? source->descriptor() : -1;
}

/// Reads in steps, so that progress and cancellation come through with large tensors too.
Status readInSteps(const ByteSource& source, std::uint64_t offset, std::span<std::byte> out,
                   std::uint64_t& done, std::uint64_t total, backend::Progress* progress,
                   CancelToken cancel) {
    while (!out.empty()) {
        LOADER_CHECK(cancel.check());
        const std::size_t step = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), kReadStep));
        LOADER_CHECK(source.read(offset, out.first(step)));
        out = out.subspan(step);
        offset += step;
        done += step;
        if (progress) progress->report(done, total);
    }
    return {};
}

/// Why the system would not lock this much, as far as its limit tells.
std::string lockRefusal(std::uint64_t wanted) {
#ifndef _WIN32
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur < wanted)
        return "not locked: " + sizeText(wanted) + " were wanted, the limit (ulimit -l) is " +
               sizeText(limit.rlim_cur);
#endif
    return "not locked: the system refused " + sizeText(wanted);
}

}  // namespace

void ModelWeights::FreeAligned::operator()(std::byte* memory) const {
    ::operator delete[](memory, kAlignment);
}

Result<std::unique_ptr<ModelWeights>> ModelWeights::open(gguf::ModelFile& file, const graph::Program& program,
                                                         const WeightOptions& options,
                                                         backend::Progress* progress, CancelToken cancel) {
    auto weights = std::unique_ptr<ModelWeights>(new ModelWeights());
    const bool foreign = file.byteOrder() != gguf::kHostOrder;
    if (options.useMmap && !foreign) {
        LOADER_CHECK(file.map());
        weights->m_mapEffect = "mapped";
        for (std::size_t i = 0; i < file.shards(); ++i) {
            const Mapping* mapping = file.mapping(i);
            if (mapping) weights->m_guards.push_back(std::make_unique<MappingGuard>(mapping->bytes()));
        }
        weights->place(file, program);
        weights->readAhead(file);
    } else {
        weights->m_mapEffect = foreign ? "read into memory: the file has the other byte order"
                                       : "read into memory: asked by --no-mmap";
        LOADER_CHECK(weights->copy(file, program, progress, cancel));
    }
    if (options.lockMemory) weights->lock(file);
    return weights;
}

ModelWeights::~ModelWeights() {
    m_stopReader.store(true);
    if (m_reader.joinable()) m_reader.join();
}

void ModelWeights::place(const gguf::ModelFile& file, const graph::Program& program) {
    for (const graph::WeightRef& reference : program.weights) {
        const gguf::TensorInfo& tensor = file.tensors()[reference.fileTensor];
        m_weights.push_back({file.tensorData(tensor), descriptorOf(file, tensor.shard), tensor.offset});
        m_totalBytes += reference.bytes;
    }
}

Status ModelWeights::copy(const gguf::ModelFile& file, const graph::Program& program,
                          backend::Progress* progress, CancelToken cancel) {
    for (const graph::WeightRef& reference : program.weights)
        m_totalBytes += file.tensors()[reference.fileTensor].bytes;
    const auto available = availableMemory();
    if (available && m_totalBytes > available->bytes)
        return Error(Errc::R901, {sizeText(m_totalBytes)}, available->source);
    const bool foreign = file.byteOrder() != gguf::kHostOrder;
    for (const graph::WeightRef& reference : program.weights) {
        const gguf::TensorInfo& tensor = file.tensors()[reference.fileTensor];
        const auto bytes = static_cast<std::size_t>(tensor.bytes);
        auto* memory = static_cast<std::byte*>(::operator new[](bytes, kAlignment, std::nothrow));
        if (!memory) return Error(Errc::R901, {sizeText(m_totalBytes)}, std::string(tensor.name));
        m_blocks.emplace_back(memory);
        const std::span<std::byte> data(memory, bytes);
        auto read = readInSteps(file.source(tensor.shard), tensor.offset, data, m_copiedBytes, m_totalBytes,
                                progress, cancel);
        if (!read.ok()) return std::move(read).error();
        if (foreign) quant::swapBlockEndianness(tensor.type, data);
        m_weights.push_back({data, -1, 0});
    }
    return {};
}

bool ModelWeights::damaged() const {
    return std::any_of(m_guards.begin(), m_guards.end(),
                       [](const std::unique_ptr<MappingGuard>& guard) { return guard->damaged(); });
}

bool ModelWeights::lockCopies() const {
#ifndef _WIN32
    for (const backend::Weight& weight : m_weights) {
        if (::mlock(weight.bytes.data(), weight.bytes.size()) != 0) return false;
    }
    return true;
#else
    return false;
#endif
}

void ModelWeights::lock(const gguf::ModelFile& file) {
    bool locked = true;
    if (m_copiedBytes != 0) locked = lockCopies();
    for (std::size_t i = 0; m_copiedBytes == 0 && i < file.shards(); ++i) {
        const Mapping* mapping = file.mapping(i);
        locked = locked && mapping && mapping->lock();
    }
    m_lockEffect = locked ? "locked" : lockRefusal(m_copiedBytes != 0 ? m_copiedBytes : file.fileBytes());
}

void ModelWeights::readAhead(const gguf::ModelFile& file) {
    // In file order and in a thread of its own: the hint itself blocks while the disk's queue is full.
    m_reader = std::thread([this, &file] {
        for (std::size_t i = 0; i < file.shards(); ++i) {
            const Mapping* mapping = file.mapping(i);
            const std::uint64_t size = mapping ? mapping->bytes().size() : 0;
            for (std::uint64_t at = 0; at < size && !m_stopReader.load(); at += kReadStep)
                mapping->willNeed(at, std::min(kReadStep, size - at));
        }
    });
}

}  // namespace loader::host
