// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/attention.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

namespace loader::cpu {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Rows of a tile: enough that converting a block of keys costs little next to using it, few enough that
/// queries and sums stay in a second-level cache.
constexpr std::size_t kMostTileRows = 384;
constexpr std::size_t kFewestTileRows = 48;
constexpr std::size_t kTileFloats = 128 * 1024;
constexpr std::uint32_t kMostTileTokens = 128;
/// Up to so many rows are cheaper without converting the block (both are about even from 16 to 24 rows on Zen
/// 4).
constexpr std::size_t kDirectMost = 16;
/// A range of fewer keys is not worth merging.
constexpr std::uint32_t kLeastRangeKeys = 256;
constexpr std::size_t kMostPartialRows = 8192;
/// Behind the sums of a partial row: maximum and weight.
constexpr std::size_t kPartialTail = 16;

constexpr std::size_t padRows(std::size_t rows) {
    return roundUp(rows, kQueryTile);
}

std::size_t padHead(std::size_t length) {
    return roundUp(length, kHeadPadding);
}

/// First position that a token at `position` sees.
std::uint32_t visibleBegin(const graph::KvLayer& kv, std::uint32_t position) {
    return kv.window != 0 && position + 1 > kv.window ? position + 1 - kv.window : 0;
}

}  // namespace

AttentionSizes AttentionSizes::of(const graph::Program& program, std::span<const std::uint32_t> kvLayers,
                                  std::uint32_t maxGroup, std::size_t batchTokens) {
    AttentionSizes sizes;
    std::size_t kvHeads = 1;
    for (std::uint32_t index : kvLayers) {
        const graph::KvLayer& kv = program.kvLayers[index];
        kvHeads = std::max<std::size_t>(kvHeads, kv.kvHeads);
        sizes.keyStride = std::max(sizes.keyStride, padHead(kv.keyLength));
        sizes.valueStride = std::max(sizes.valueStride, padHead(kv.valueLength));
        sizes.panelFloats = std::max(
            sizes.panelFloats, roundUp(attentionPanelFloats(kv.keyLength, padHead(kv.valueLength)), 16));
    }
    const std::size_t rowFloats = std::max<std::size_t>(sizes.keyStride + sizes.valueStride, 1);
    const std::size_t rows = std::clamp(kTileFloats / rowFloats, kFewestTileRows, kMostTileRows);
    sizes.tileTokens =
        std::clamp<std::uint32_t>(static_cast<std::uint32_t>(rows / maxGroup), 1, kMostTileTokens);
    sizes.tileRows = padRows(std::size_t{sizes.tileTokens} * maxGroup);
    sizes.partialRows = std::min(kMostPartialRows, batchTokens * maxGroup * kvHeads * kAttentionUnits);
    return sizes;
}

std::uint64_t AttentionSizes::scratchBytes() const {
    return sizeof(float) * (tileRows * (keyStride + valueStride + 4) + panelFloats + 64);
}

std::uint64_t AttentionSizes::sharedBytes() const {
    return sizeof(float) * partialRows * (valueStride + kPartialTail);
}

Result<AttentionScratch> AttentionScratch::create(const AttentionSizes& sizes) {
    AttentionScratch scratch;
    LOADER_TRY(scratch.m_floats, AlignedBuffer::create(sizes.scratchBytes()));
    scratch.m_queries = scratch.m_floats.floats();
    scratch.m_sums = scratch.m_queries + sizes.tileRows * sizes.keyStride;
    scratch.m_panels = scratch.m_sums + sizes.tileRows * sizes.valueStride;
    scratch.m_maxima = scratch.m_panels + sizes.panelFloats;
    scratch.m_weights = scratch.m_maxima + sizes.tileRows;
    scratch.m_begins = reinterpret_cast<std::uint32_t*>(scratch.m_weights + sizes.tileRows);
    scratch.m_ends = scratch.m_begins + sizes.tileRows;
    return scratch;
}

Status AttentionPartials::allocate(const AttentionSizes& sizes) {
    m_capacity = sizes.partialRows;
    LOADER_TRY(m_rows, AlignedBuffer::create(sizes.sharedBytes()));
    return {};
}

struct AttentionWork::Unit {
    std::uint32_t tile;
    std::uint32_t kvHead;
    std::uint32_t range;
    std::uint32_t rows;
};

AttentionWork::AttentionWork(const KernelTable& kernels, const KvCache& cache, const AttentionJob& job,
                             AttentionPartials& partials)
    : m_kernels(kernels),
      m_cache(cache),
      m_job(job),
      m_partials(partials),
      m_keyStride(padHead(job.layer->keyLength)),
      m_valueStride(padHead(job.layer->valueLength)) {
    std::size_t tokens = 0;
    for (const TokenTile& tile : job.tiles)
        tokens += tile.count;
    const std::size_t whole = std::max<std::size_t>(job.tiles.size() * job.layer->kvHeads, 1);
    const std::size_t rows = std::max<std::size_t>(tokens * job.group * job.layer->kvHeads, 1);
    const std::size_t wanted = whole >= kAttentionUnits ? 1 : (kAttentionUnits + whole - 1) / whole;
    cutKeys(static_cast<std::uint32_t>(std::clamp<std::size_t>(partials.m_capacity / rows, 1, wanted)));
}

void AttentionWork::cutKeys(std::uint32_t mostRanges) {
    const graph::KvLayer& kv = *m_job.layer;
    m_keys.reserve(m_job.tiles.size());
    m_firstUnit.assign(1, 0);
    std::size_t partialRow = 0;
    for (const TokenTile& tile : m_job.tiles) {
        Keys keys;
        const auto* ends = m_job.visibleEnds.data() + tile.firstItem;
        keys.end = *std::max_element(ends, ends + tile.count);
        // Blocks begin at multiples of their size, so that a result does not depend on how a prompt was cut.
        constexpr auto block = static_cast<std::uint32_t>(kKeyBlock);
        keys.begin = visibleBegin(kv, m_job.items[tile.firstItem].position[0]) / block * block;
        const std::uint32_t count = keys.end - keys.begin;
        const std::uint32_t ranges = std::clamp(count / kLeastRangeKeys, 1u, mostRanges);
        keys.rangeKeys = static_cast<std::uint32_t>(roundUp((count + ranges - 1) / ranges, kKeyBlock));
        keys.ranges = std::max((count + keys.rangeKeys - 1) / keys.rangeKeys, 1u);
        keys.partialRow = partialRow;
        partialRow += std::size_t{keys.ranges} * kv.kvHeads * tile.count * m_job.group;
        m_keys.push_back(keys);
        m_firstUnit.push_back(m_firstUnit.back() + std::size_t{keys.ranges} * kv.kvHeads);
    }
}

void AttentionWork::run(std::size_t index, AttentionScratch& scratch) const {
    const auto after = std::upper_bound(m_firstUnit.begin(), m_firstUnit.end(), index);
    Unit unit{};
    unit.tile = static_cast<std::uint32_t>(after - m_firstUnit.begin() - 1);
    const Keys& keys = m_keys[unit.tile];
    const auto inTile = static_cast<std::uint32_t>(index - m_firstUnit[unit.tile]);
    unit.kvHead = inTile / keys.ranges;
    unit.range = inTile % keys.ranges;
    unit.rows = m_job.tiles[unit.tile].count * m_job.group;
    const AttentionRows rows = prepare(unit, scratch);
    const std::uint32_t sequence = m_job.items[m_job.tiles[unit.tile].firstItem].sequence;
    const KvCache::Place place{m_job.kvLayer, sequence, unit.kvHead};
    const AttentionKernels& kernels = m_kernels.attention[static_cast<std::size_t>(m_cache.format())];
    const bool direct = rows.count <= kDirectMost;
    std::uint32_t begin = keys.begin + unit.range * keys.rangeKeys;
    const std::uint32_t end = std::min(begin + keys.rangeKeys, keys.end);
    for (; begin < end; begin += kKeyBlock) {
        const std::uint32_t count = std::min(static_cast<std::uint32_t>(kKeyBlock), end - begin);
        const KeyBlock block = m_cache.block(place, begin, count);
        if (direct) {
            kernels.direct(rows, block);
        } else {
            kernels.panels(rows, block, scratch.m_panels);
        }
    }
    if (keys.ranges == 1) {
        finish(unit, rows);
        return;
    }
    leavePart(unit, rows);
    std::atomic<std::uint32_t>& arrived =
        m_partials.m_arrived[unit.tile * m_job.layer->kvHeads + unit.kvHead];
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 != keys.ranges) return;
    arrived.store(0, std::memory_order_relaxed);
    merge(unit, rows);
}

AttentionRows AttentionWork::prepare(const Unit& unit, AttentionScratch& scratch) const {
    const graph::KvLayer& kv = *m_job.layer;
    const TokenTile& tile = m_job.tiles[unit.tile];
    AttentionRows rows;
    rows.count = unit.rows <= kDirectMost ? unit.rows : padRows(unit.rows);
    rows.queries = scratch.m_queries;
    rows.keyStride = m_keyStride;
    rows.sums = scratch.m_sums;
    rows.valueStride = m_valueStride;
    rows.maxima = scratch.m_maxima;
    rows.weights = scratch.m_weights;
    rows.begins = scratch.m_begins;
    rows.ends = scratch.m_ends;
    rows.softcap = m_job.softcap;
    std::fill_n(rows.maxima, rows.count, kMinusInfinity);
    std::fill_n(rows.weights, rows.count, 0.0f);
    std::fill_n(rows.sums, rows.count * m_valueStride, 0.0f);
    for (std::size_t r = 0; r < rows.count; ++r) {
        float* query = scratch.m_queries + r * m_keyStride;
        if (r >= unit.rows) {  // fills up a register tile and sees nothing
            std::fill_n(query, m_keyStride, 0.0f);
            scratch.m_begins[r] = scratch.m_ends[r] = 0;
            continue;
        }
        const std::size_t item = tile.firstItem + r / m_job.group;
        const std::size_t head = std::size_t{unit.kvHead} * m_job.group + r % m_job.group;
        const float* in = m_job.queries + item * m_job.queryStride + head * kv.keyLength;
        m_kernels.vectors.scale(in, m_job.scale, nullptr, query, kv.keyLength);
        std::fill(query + kv.keyLength, query + m_keyStride, 0.0f);
        scratch.m_begins[r] = visibleBegin(kv, m_job.items[item].position[0]);
        scratch.m_ends[r] = m_job.visibleEnds[item];
    }
    return rows;
}

float* AttentionWork::outputRow(const Unit& unit, std::size_t row) const {
    const std::size_t item = m_job.tiles[unit.tile].firstItem + row / m_job.group;
    const std::size_t head = std::size_t{unit.kvHead} * m_job.group + row % m_job.group;
    return m_job.out + item * m_job.outStride + head * m_job.layer->valueLength;
}

void AttentionWork::finish(const Unit& unit, const AttentionRows& rows) const {
    const std::size_t length = m_job.layer->valueLength;
    for (std::size_t r = 0; r < unit.rows; ++r) {
        m_kernels.vectors.scale(rows.sums + r * m_valueStride, 1.0f / rows.weights[r], nullptr,
                                outputRow(unit, r), length);
    }
}

float* AttentionWork::partial(const Unit& unit, std::uint32_t range, std::size_t row) const {
    const Keys& keys = m_keys[unit.tile];
    const std::size_t part = std::size_t{unit.kvHead} * keys.ranges + range;
    const std::size_t index = keys.partialRow + part * unit.rows + row;
    assert(index < m_partials.m_capacity && "parts were not counted");
    return m_partials.m_rows.floats() + index * (m_valueStride + kPartialTail);
}

void AttentionWork::leavePart(const Unit& unit, const AttentionRows& rows) const {
    for (std::size_t r = 0; r < unit.rows; ++r) {
        float* part = partial(unit, unit.range, r);
        std::memcpy(part, rows.sums + r * m_valueStride, m_valueStride * sizeof(float));
        part[m_valueStride] = rows.maxima[r];
        part[m_valueStride + 1] = rows.weights[r];
    }
}

/// Always in the order of the ranges, whoever comes last.
void AttentionWork::merge(const Unit& unit, const AttentionRows& rows) const {
    const std::uint32_t ranges = m_keys[unit.tile].ranges;
    for (std::size_t r = 0; r < unit.rows; ++r) {
        float highest = kMinusInfinity;
        for (std::uint32_t range = 0; range < ranges; ++range)
            highest = std::max(highest, partial(unit, range, r)[m_valueStride]);
        float* sum = rows.sums + r * m_valueStride;
        std::fill_n(sum, m_valueStride, 0.0f);
        float weight = 0.0f;
        for (std::uint32_t range = 0; range < ranges; ++range) {
            const float* part = partial(unit, range, r);
            // A range of which this row sees nothing.
            if (part[m_valueStride] == kMinusInfinity) continue;
            const float factor = std::exp(part[m_valueStride] - highest);
            m_kernels.vectors.axpy(factor, part, sum, m_valueStride);
            weight += factor * part[m_valueStride + 1];
        }
        rows.weights[r] = weight;
    }
    finish(unit, rows);
}

}  // namespace loader::cpu
