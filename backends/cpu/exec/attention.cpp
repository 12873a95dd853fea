// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace loader::cpu {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

std::uint32_t longestHead(const graph::Program& program, std::span<const std::uint32_t> kvLayers) {
    std::uint32_t longest = 0;
    for (std::uint32_t index : kvLayers) {
        const graph::KvLayer& kv = program.kvLayers[index];
        longest = std::max({longest, kv.keyLength, kv.valueLength});
    }
    return longest;
}

/// First position that a token at `position` sees.
std::uint32_t visibleBegin(const graph::KvLayer& kv, std::uint32_t position) {
    return kv.window != 0 && position + 1 > kv.window ? position + 1 - kv.window : 0;
}

/// The rows of a tile one after the other: row = token × group + head of the group.
class Tile {
public:
    Tile(const VectorKernels& kernels, const AttentionJob& job, AttentionScratch& scratch)
        : m_kernels(kernels), m_job(job), m_scratch(scratch), m_rows(job.tokens * job.group) {
        std::fill_n(scratch.maxima.begin(), m_rows, kMinusInfinity);
        std::fill_n(scratch.weights.begin(), m_rows, 0.0f);
        std::fill_n(scratch.sums.begin(), std::size_t{m_rows} * job.layer->valueLength, 0.0f);
    }

    /// Adds keys [begin, begin + count), whose rows lie in `keys` and `values`.
    void addBlock(std::uint32_t begin, std::uint32_t count, const float* keys, const float* values) {
        const std::uint32_t valueLength = m_job.layer->valueLength;
        for (std::uint32_t r = 0; r < m_rows; ++r) {
            const std::uint32_t token = r / m_job.group;
            const std::uint32_t first =
                std::max(begin, visibleBegin(*m_job.layer, m_job.firstPosition + token));
            const std::uint32_t end = std::min(begin + count, m_job.visibleEnds[token]);
            if (first >= end) continue;
            const std::uint32_t seen = end - first;
            float* scores = m_scratch.scores.data() + std::size_t{r} * kKeyBlock;
            score(r, keys + std::size_t{first - begin} * m_job.layer->keyLength, seen, scores);
            rescale(r, m_kernels.maximum(scores, seen));
            m_scratch.weights[r] += m_kernels.expRow(scores, m_scratch.maxima[r], seen);
            float* sum = m_scratch.sums.data() + std::size_t{r} * valueLength;
            const float* value = values + std::size_t{first - begin} * valueLength;
            for (std::uint32_t i = 0; i < seen; ++i) {
                m_kernels.axpy(scores[i], value + std::size_t{i} * valueLength, sum, valueLength);
            }
        }
    }

    void finish() {
        const std::uint32_t valueLength = m_job.layer->valueLength;
        for (std::uint32_t r = 0; r < m_rows; ++r) {
            float* out = m_job.out + (r / m_job.group) * m_job.outStride + (r % m_job.group) * valueLength;
            const float* sum = m_scratch.sums.data() + std::size_t{r} * valueLength;
            m_kernels.scale(sum, 1.0f / m_scratch.weights[r], nullptr, out, valueLength);
        }
    }

private:
    void score(std::uint32_t r, const float* keys, std::uint32_t count, float* scores) const {
        const std::uint32_t length = m_job.layer->keyLength;
        const float* query =
            m_job.queries + (r / m_job.group) * m_job.queryStride + (r % m_job.group) * length;
        for (std::uint32_t i = 0; i < count; ++i) {
            scores[i] = m_job.scale * m_kernels.dot(query, keys + std::size_t{i} * length, length);
        }
        if (m_job.softcap == 0.0f) return;
        for (std::uint32_t i = 0; i < count; ++i)
            scores[i] = m_job.softcap * std::tanh(scores[i] / m_job.softcap);
    }

    /// Brings what has been summed so far to a greater maximum.
    void rescale(std::uint32_t r, float blockMaximum) {
        const float old = m_scratch.maxima[r];
        if (blockMaximum <= old) return;
        m_scratch.maxima[r] = blockMaximum;
        if (old == kMinusInfinity) return;
        const float factor = std::exp(old - blockMaximum);
        m_scratch.weights[r] *= factor;
        float* sum = m_scratch.sums.data() + std::size_t{r} * m_job.layer->valueLength;
        m_kernels.scale(sum, factor, nullptr, sum, m_job.layer->valueLength);
    }

    const VectorKernels& m_kernels;
    const AttentionJob& m_job;
    AttentionScratch& m_scratch;
    std::uint32_t m_rows;
};

}  // namespace

AttentionScratch::AttentionScratch(const graph::Program& program, std::span<const std::uint32_t> kvLayers,
                                   std::uint32_t maxGroup) {
    const std::size_t tileRows = std::size_t{kTokenTile} * maxGroup;
    const std::size_t longest = longestHead(program, kvLayers);
    rows.resize(2 * kKeyBlock * longest);
    scores.resize(tileRows * kKeyBlock);
    sums.resize(tileRows * longest);
    maxima.resize(tileRows);
    weights.resize(tileRows);
}

std::uint64_t AttentionScratch::bytes(const graph::Program& program, std::span<const std::uint32_t> kvLayers,
                                      std::uint32_t maxGroup) {
    const std::uint64_t tileRows = std::uint64_t{kTokenTile} * maxGroup;
    const std::uint64_t longest = longestHead(program, kvLayers);
    return sizeof(float) * (2 * kKeyBlock * longest + tileRows * (kKeyBlock + longest + 2));
}

void attend(const VectorKernels& kernels, const KvCache& cache, const AttentionJob& job,
            AttentionScratch& scratch) {
    Tile tile(kernels, job, scratch);
    float* keys = scratch.rows.data();
    float* values = keys + std::size_t{kKeyBlock} * job.layer->keyLength;
    const std::uint32_t end = *std::max_element(job.visibleEnds, job.visibleEnds + job.tokens);
    // Blocks begin at multiples of their size, so that a result does not depend on how a prompt was cut.
    std::uint32_t begin = visibleBegin(*job.layer, job.firstPosition) / kKeyBlock * kKeyBlock;
    for (; begin < end; begin += kKeyBlock) {
        const std::uint32_t count = std::min(kKeyBlock, end - begin);
        cache.loadKeys(kernels, job.place, begin, count, keys);
        cache.loadValues(kernels, job.place, begin, count, values);
        tile.addBlock(begin, count, keys, values);
    }
    tile.finish();
}

}  // namespace loader::cpu
