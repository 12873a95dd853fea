// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What both attention kernels share: how the cache's rows are read, and the running softmax of one row of
// scores. Written against the vector vocabulary.

/// Rows of the cache, kLanes values from `i` on; i is a multiple of kLanes.
struct KvHalf {
    static Floats read(const std::byte* row, std::size_t i) { return loadHalf(row + 2 * i); }
    static Floats readPart(const std::byte* row, std::size_t i, std::size_t count) {
        return loadHalfPart(row + 2 * i, count);
    }
};

struct KvFloat {
    static Floats read(const std::byte* row, std::size_t i) { return load(row + 4 * i); }
    static Floats readPart(const std::byte* row, std::size_t i, std::size_t count) {
        return loadPart(row + 4 * i, count);
    }
};

/// File blocks of Q8_0; a row is padded to whole ones with zeros.
struct KvQ8 {
    static Floats read(const std::byte* row, std::size_t i) {
        const std::byte* block = row + i / 32 * kQ8BlockBytes;
        return multiply(loadInt8(block + 2 + i % 32), broadcast(halfScale(block)));
    }
    static Floats readPart(const std::byte* row, std::size_t i, std::size_t) { return read(row, i); }
};

/// Keys of a block, counted from its first, that some row sees.
struct SeenKeys {
    std::size_t first;
    std::size_t end;
};

inline SeenKeys seenByRow(const AttentionRows& rows, std::size_t row, const KeyBlock& block) {
    const std::uint32_t begin = rows.begins[row];
    const std::uint32_t end = rows.ends[row];
    const std::uint32_t blockEnd = block.begin + block.count;
    return {begin > block.begin ? begin - block.begin : 0,
            end > block.begin ? (end < blockEnd ? end : blockEnd) - block.begin : 0};
}

inline SeenKeys seenByRows(const AttentionRows& rows, std::size_t first, std::size_t count,
                           const KeyBlock& block) {
    SeenKeys all = {kKeyBlock, 0};
    for (std::size_t r = first; r < first + count; ++r) {
        const SeenKeys own = seenByRow(rows, r, block);
        if (own.first >= own.end) continue;
        all.first = own.first < all.first ? own.first : all.first;
        all.end = own.end > all.end ? own.end : all.end;
    }
    return all;
}

/// e^x for x <= 0, as exponential() gives it.
/// OPTIMIZATION: no clamp from above and no split power, which only large results need.
inline Floats exponentialOfNegative(Floats x) {
    const Floats lowest = broadcast(-87.3365448f);
    const Floats clamped = maximum(lowest, x);
    const Floats n = roundNearest(multiply(clamped, broadcast(1.44269504f)));
    Floats r = multiplyAdd(n, broadcast(-0.693359375f), clamped);
    r = multiplyAdd(n, broadcast(2.12194440e-4f), r);
    Floats p = broadcast(1.0f / 5040);
    p = multiplyAdd(p, r, broadcast(1.0f / 720));
    p = multiplyAdd(p, r, broadcast(1.0f / 120));
    p = multiplyAdd(p, r, broadcast(1.0f / 24));
    p = multiplyAdd(p, r, broadcast(1.0f / 6));
    p = multiplyAdd(p, r, broadcast(0.5f));
    p = multiplyAdd(multiply(p, r), r, r);
    p = add(p, broadcast(1.0f));
    return selectLess(x, lowest, zero(), multiply(p, powerOfTwo(n)));
}

/// cap × tanh(x / cap), from tanh y = 1 - 2 / (1 + e^2y).
inline void capScores(float* scores, float cap) {
    const Floats inner = broadcast(2.0f / cap);
    for (std::size_t i = 0; i < kKeyBlock; i += kLanes) {
        const Floats grown = add(exponential(multiply(load(scores + i), inner)), broadcast(1.0f));
        const Floats tangent = subtract(broadcast(1.0f), divide(broadcast(2.0f), grown));
        store(scores + i, multiply(tangent, broadcast(cap)));
    }
}

/// Turns the scores of a block into weights under the row's running maximum; those that the row does not see
/// become 0. Returns the factor that brings earlier sums to the new maximum.
inline float weighScores(const AttentionRows& rows, std::size_t row, const KeyBlock& block, float* scores) {
    constexpr float kLowest = -std::numeric_limits<float>::infinity();
    const SeenKeys seen = seenByRow(rows, row, block);
    if (seen.first >= seen.end) {
        for (std::size_t i = 0; i < kKeyBlock; i += kLanes)
            store(scores + i, zero());
        return 1.0f;
    }
    if (rows.softcap != 0.0f) capScores(scores, rows.softcap);
    for (std::size_t i = 0; i < seen.first; ++i)
        scores[i] = kLowest;
    for (std::size_t i = seen.end; i < kKeyBlock; ++i)
        scores[i] = kLowest;
    Floats best = load(scores);
    for (std::size_t i = kLanes; i < kKeyBlock; i += kLanes)
        best = maximum(load(scores + i), best);
    const float found = maximumOf(best);
    const float old = rows.maxima[row];
    const float highest = found > old ? found : old;
    const Floats shift = broadcast(highest);
    Floats total = zero();
    for (std::size_t i = 0; i < kKeyBlock; i += kLanes) {
        const Floats weight = exponentialOfNegative(subtract(load(scores + i), shift));
        store(scores + i, weight);
        total = add(total, weight);
    }
    float factor = 1.0f;
    if (highest > old) {
        alignas(64) float change[kLanes];
        store(change, exponentialOfNegative(subtract(broadcast(old), shift)));
        factor = change[0];
        rows.maxima[row] = highest;
    }
    rows.weights[row] = rows.weights[row] * factor + sumOf(total);
    return factor;
}
