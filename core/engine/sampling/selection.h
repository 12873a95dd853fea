// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Partial selection: the primitives that let every stage do without a sort of the vocabulary.
// The canonical order is: greater logit first, lower id first among equals.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/engine/base/token.h"

namespace loader::sampling {

/// Double, so that no temperature can push two different logits to the same infinity.
struct Item {
    double logit = 0.0;
    /// exp(logit - greatest logit), once computed.
    double weight = 0.0;
    TokenId id = 0;
};

struct CanonicalLess {
    bool operator()(const Item& a, const Item& b) const {
        return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
    }
};

/// Rearranges items so that its first n are the first n in the order of `less`, and returns the smallest n
/// whose weights add up to `target` or, with `beyond`, to more than it; items.size() where they never do.
/// Expected time is linear: growing blocks are split off the front, then the last block is
/// halved.
/// @source the idea of weighted selection: Blum et al. 1973; std::nth_element bounds the worst case
template <class Less>
std::size_t smallestPrefix(std::span<Item> items, double target, bool beyond, Less less) {
    constexpr std::size_t kSmall = 32;
    const auto reached = [target, beyond](double mass) { return beyond ? mass > target : mass >= target; };
    std::size_t low = 0;
    std::size_t high = items.size();
    std::size_t block = 256;
    double mass = 0.0;
    while (high - low > kSmall) {
        const std::size_t middle = low + std::min((high - low) / 2, block);
        const auto at = [&items](std::size_t index) {
            return items.begin() + static_cast<std::ptrdiff_t>(index);
        };
        std::nth_element(at(low), at(middle), at(high), less);
        double part = 0.0;
        for (std::size_t i = low; i < middle; ++i)
            part += items[i].weight;
        if (reached(mass + part)) {
            high = middle;
            continue;
        }
        mass += part;
        low = middle;
        block *= 32;
    }
    std::sort(items.begin() + static_cast<std::ptrdiff_t>(low),
              items.begin() + static_cast<std::ptrdiff_t>(high), less);
    for (std::size_t i = low; i < high; ++i) {
        mass += items[i].weight;
        if (reached(mass)) return i + 1;
    }
    return high;
}

/// Moves the first `count` items in the order of `less` to the front and drops the rest.
template <class Less>
void keepFirst(std::vector<Item>& items, std::size_t count, Less less) {
    if (count >= items.size()) return;
    std::nth_element(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count), items.end(), less);
    items.resize(count);
}

/// The k greatest of a stream of logits in ascending ids. A buffer of a few k is cut back to k whenever it is
/// full, and the k-th value becomes the threshold that most later logits fail with one comparison.
class TopScan {
public:
    TopScan(std::vector<Item>& items, std::size_t k) : m_items(items), m_k(k), m_capacity(2 * k + 256) {
        m_items.clear();
    }

    /// Offers logits[i] for the ids first + i. NaN and -infinity never pass.
    void offer(std::span<const float> logits, TokenId first) {
        // OPTIMIZATION: a local copy, because the compiler must assume that the logits alias the member.
        float threshold = m_floatThreshold;
        for (std::size_t i = 0; i < logits.size(); ++i) {
            if (!(logits[i] > threshold)) continue;
            push(logits[i], first + static_cast<TokenId>(i));
            threshold = m_floatThreshold;
        }
    }
    void offer(double logit, TokenId id) {
        if (logit > m_threshold) push(logit, id);
    }
    void finish() { keepFirst(m_items, m_k, CanonicalLess{}); }

private:
    void push(double logit, TokenId id) {
        m_items.push_back({logit, 0.0, id});
        if (m_items.size() < m_capacity) return;
        keepFirst(m_items, m_k, CanonicalLess{});
        // An equal logit that comes later has a higher id and loses, so the comparison can be strict.
        m_threshold = std::min_element(m_items.begin(), m_items.end(), [](const Item& a, const Item& b) {
                          return a.logit < b.logit;
                      })->logit;
        m_floatThreshold = static_cast<float>(m_threshold);
        if (static_cast<double>(m_floatThreshold) > m_threshold)
            m_floatThreshold = std::nextafter(m_floatThreshold, -std::numeric_limits<float>::infinity());
    }

    std::vector<Item>& m_items;
    std::size_t m_k;
    std::size_t m_capacity;
    double m_threshold = -std::numeric_limits<double>::infinity();
    float m_floatThreshold = -std::numeric_limits<float>::infinity();
};

}  // namespace loader::sampling
