// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/head_candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace loader::cpu {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
/// Logits looked at together; their copy stays in the first-level cache.
constexpr std::size_t kBlock = 256;

}  // namespace

void HeadCandidates::start(std::size_t top) {
    m_heap.start(top);
    m_greatest = kMinusInfinity;
    m_sum = 0.0;
}

void HeadCandidates::raise(float greatest) {
    if (greatest <= m_greatest) return;
    // Nothing was summed below an infinite maximum.
    if (std::isfinite(m_greatest)) m_sum *= std::exp(static_cast<double>(m_greatest) - greatest);
    m_greatest = greatest;
}

void HeadCandidates::add(const VectorKernels& vectors, std::size_t firstToken, std::span<float> logits) {
    for (std::size_t begin = 0; begin < logits.size(); begin += kBlock) {
        const std::span<float> block = logits.subspan(begin, std::min(kBlock, logits.size() - begin));
        for (float& logit : block)
            if (std::isnan(logit)) logit = kMinusInfinity;
        const float greatest = vectors.maximum(block.data(), block.size());
        if (m_heap.wouldTake(greatest)) {
            for (std::size_t i = 0; i < block.size(); ++i)
                m_heap.offer({static_cast<TokenId>(firstToken + begin + i), block[i]});
        }
        raise(greatest);
        if (!std::isfinite(m_greatest)) continue;
        float copy[kBlock];
        std::copy(block.begin(), block.end(), copy);
        m_sum += static_cast<double>(vectors.expRow(copy, m_greatest, block.size()));
    }
}

void HeadCandidates::merge(const HeadCandidates& other) {
    for (const backend::TopToken& candidate : other.m_heap.tokens())
        m_heap.offer(candidate);
    raise(other.m_greatest);
    if (!std::isfinite(m_greatest) || !std::isfinite(other.m_greatest)) return;
    m_sum += other.m_sum * std::exp(static_cast<double>(other.m_greatest) - m_greatest);
}

void HeadCandidates::append(backend::ForwardOutput& out) {
    m_heap.append(out);
    const double logSum = std::isfinite(m_greatest) ? std::log(m_sum) : 0.0;
    out.logSumExp.push_back(static_cast<float>(m_greatest + logSum));
}

}  // namespace loader::cpu
