// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/kv_cache.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "core/engine/base/checked.h"

namespace loader::cpu {
namespace {

using backend::KvType;

constexpr std::size_t kQ8Values = 32;
constexpr std::size_t kQ8Bytes = 34;

std::uint32_t paddedLength(KvType type, std::uint32_t length) {
    return type == KvType::Q8_0 ? (length + 31) / 32 * 32 : length;
}

/// Rows whose length is no multiple of the block go through a padded copy; real models have none.
constexpr std::size_t kMaxPadded = 4096;

}  // namespace

std::size_t kvRowBytes(KvType type, std::uint32_t length) {
    switch (type) {
        case KvType::F16: return length * sizeof(std::uint16_t);
        case KvType::Q8_0: return paddedLength(type, length) / kQ8Values * kQ8Bytes;
        case KvType::F32: return length * sizeof(float);
    }
    return 0;
}

std::uint64_t kvBytes(const graph::Program& program, std::span<const std::uint32_t> kvLayers, KvType type,
                      std::uint32_t contextTokens, unsigned sequences) {
    std::uint64_t bytes = 0;
    for (std::uint32_t index : kvLayers) {
        const graph::KvLayer& kv = program.kvLayers[index];
        const std::uint64_t perToken =
            std::uint64_t{kv.kvHeads} * (kvRowBytes(type, kv.keyLength) + kvRowBytes(type, kv.valueLength));
        bytes += perToken * contextTokens * sequences;
    }
    return bytes;
}

Status KvCache::reserve(Rows& rows, std::uint32_t heads, std::uint32_t length, KvType type,
                        std::uint32_t contextTokens, unsigned sequences) {
    rows.heads = heads;
    rows.length = length;
    rows.rowBytes = kvRowBytes(type, length);
    const auto headBytes = checkedMul<std::size_t>(rows.rowBytes, contextTokens);
    const auto sequenceBytes = headBytes ? checkedMul<std::size_t>(*headBytes, heads) : headBytes;
    const auto total = sequenceBytes ? checkedMul<std::size_t>(*sequenceBytes, sequences) : sequenceBytes;
    // malloc reserves without touching: pages come into being as positions are written.
    void* memory = total ? std::malloc(std::max<std::size_t>(*total, 1)) : nullptr;
    if (!memory) return Error(Errc::R901, {"The KV cache: " + std::to_string(total.value_or(0)) + " bytes"});
    rows.headBytes = *headBytes;
    rows.sequenceBytes = *sequenceBytes;
    rows.data = {static_cast<std::byte*>(memory), &std::free};
    return {};
}

Result<KvCache> KvCache::create(const graph::Program& program, std::span<const std::uint32_t> kvLayers,
                                KvType type, std::uint32_t contextTokens, unsigned sequences) {
    KvCache cache;
    cache.m_type = type;
    cache.m_layers.resize(program.kvLayers.size());
    for (std::uint32_t index : kvLayers) {
        const graph::KvLayer& kv = program.kvLayers[index];
        Layer& layer = cache.m_layers[index];
        LOADER_CHECK(reserve(layer.keys, kv.kvHeads, kv.keyLength, type, contextTokens, sequences));
        LOADER_CHECK(reserve(layer.values, kv.kvHeads, kv.valueLength, type, contextTokens, sequences));
    }
    return cache;
}

void KvCache::storeRow(const VectorKernels& kernels, const Rows& rows, const Place& place,
                       std::uint32_t position, const float* values) const {
    std::byte* out = rows.at(place.sequence, place.head, position);
    switch (m_type) {
        case KvType::F32: std::memcpy(out, values, rows.rowBytes); return;
        case KvType::F16:
            kernels.floatToHalf(values, reinterpret_cast<std::uint16_t*>(out), rows.length);
            return;
        case KvType::Q8_0: break;
    }
    if (rows.length % kQ8Values == 0) {
        kernels.floatToQ8Row(values, out, rows.length);
        return;
    }
    std::array<float, kMaxPadded> padded{};
    std::copy_n(values, rows.length, padded.begin());
    kernels.floatToQ8Row(padded.data(), out, paddedLength(m_type, rows.length));
}

void KvCache::store(const VectorKernels& kernels, const Place& place, std::uint32_t position,
                    const float* key, const float* value) {
    storeRow(kernels, m_layers[place.kvLayer].keys, place, position, key);
    storeRow(kernels, m_layers[place.kvLayer].values, place, position, value);
}

KeyBlock KvCache::block(const Place& place, std::uint32_t begin, std::uint32_t count) const {
    const Layer& layer = m_layers[place.kvLayer];
    KeyBlock block;
    block.keys = layer.keys.at(place.sequence, place.head, begin);
    block.values = layer.values.at(place.sequence, place.head, begin);
    block.keyRowBytes = layer.keys.rowBytes;
    block.valueRowBytes = layer.values.rowBytes;
    block.keyLength = layer.keys.length;
    block.valueLength = layer.values.length;
    block.begin = begin;
    block.count = count;
    return block;
}

KvFormat KvCache::format() const {
    switch (m_type) {
        case KvType::F16: return KvFormat::F16;
        case KvType::Q8_0: return KvFormat::Q8_0;
        case KvType::F32: break;
    }
    return KvFormat::F32;
}

template <class Visit>
void KvCache::eachRows(Visit visit) const {
    for (const Layer& layer : m_layers) {
        if (!layer.keys.data) continue;
        visit(layer.keys);
        visit(layer.values);
    }
}

void KvCache::copy(std::uint32_t from, std::uint32_t to, std::uint32_t positions) {
    eachRows([&](const Rows& rows) {
        for (std::uint32_t head = 0; head < rows.heads; ++head) {
            std::memcpy(rows.at(to, head, 0), rows.at(from, head, 0), rows.rowBytes * positions);
        }
    });
}

void KvCache::save(std::uint32_t sequence, std::uint32_t positions, std::vector<std::byte>& out) const {
    out.reserve(out.size() + savedBytes(positions));
    eachRows([&](const Rows& rows) {
        for (std::uint32_t head = 0; head < rows.heads; ++head) {
            const std::byte* begin = rows.at(sequence, head, 0);
            out.insert(out.end(), begin, begin + rows.rowBytes * positions);
        }
    });
}

std::uint64_t KvCache::savedBytes(std::uint32_t positions) const {
    std::uint64_t bytes = 0;
    eachRows([&](const Rows& rows) { bytes += std::uint64_t{rows.heads} * rows.rowBytes * positions; });
    return bytes;
}

void KvCache::restore(std::uint32_t sequence, std::uint32_t positions, std::span<const std::byte> saved) {
    eachRows([&](const Rows& rows) {
        for (std::uint32_t head = 0; head < rows.heads; ++head) {
            const std::size_t bytes = rows.rowBytes * positions;
            if (bytes != 0) std::memcpy(rows.at(sequence, head, 0), saved.data(), bytes);
            saved = saved.subspan(bytes);
        }
    });
}

}  // namespace loader::cpu
