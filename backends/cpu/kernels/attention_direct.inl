// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Attention of few query rows: keys and values are read once in the cache's own layout for all rows of a
// chunk, and converted in registers. The processor prefetches both streams better than software
// (docs/adr/0012).

/// Rows that are computed together.
inline constexpr std::size_t kDirectRows = kLanes < 8 ? kLanes : 8;

/// One vector of each key against one vector of each query row.
template <class Source, std::size_t rows, std::size_t keys, bool part>
inline void scoreStep(const float* queries, std::size_t stride, const std::byte* const (&key)[keys],
                      std::size_t i, std::size_t rest, Floats (&sums)[kLanes]) {
    Floats value[keys];
    LOADER_UNROLL
    for (std::size_t k = 0; k < keys; ++k)
        value[k] = part ? Source::readPart(key[k], i, rest) : Source::read(key[k], i);
    LOADER_UNROLL
    for (std::size_t r = 0; r < rows; ++r) {
        const Floats query = load(queries + r * stride + i);
        LOADER_UNROLL
        for (std::size_t k = 0; k < keys; ++k)
            sums[r * keys + k] = multiplyAdd(query, value[k], sums[r * keys + k]);
    }
}

/// scores[row][key] for the seen keys. As many keys at once as sums fill one vector.
template <class Source, std::size_t rows>
inline void scoreDirect(const float* queries, std::size_t stride, const KeyBlock& block, SeenKeys seen,
                        float* scores) {
    constexpr std::size_t keys = kLanes / rows;
    const std::size_t length = block.keyLength;
    const std::size_t rest = length % kLanes;
    for (std::size_t first = seen.first; first < seen.end; first += keys) {
        const std::size_t count = seen.end - first < keys ? seen.end - first : keys;
        const std::byte* key[keys];
        LOADER_UNROLL
        for (std::size_t k = 0; k < keys; ++k)
            key[k] = block.keys + (k < count ? first + k : first) * block.keyRowBytes;
        Floats sums[kLanes];
        LOADER_UNROLL
        for (std::size_t i = 0; i < kLanes; ++i)
            sums[i] = zero();
        for (std::size_t i = 0; i + kLanes <= length; i += kLanes)
            scoreStep<Source, rows, keys, false>(queries, stride, key, i, 0, sums);
        if (rest != 0) scoreStep<Source, rows, keys, true>(queries, stride, key, length - rest, rest, sums);
        alignas(64) float found[kLanes];
        store(found, sumEach(sums));
        for (std::size_t r = 0; r < rows; ++r) {
            float* out = scores + r * kKeyBlock + first;
            if (count == keys) {
                std::memcpy(out, found + r * keys, keys * sizeof(float));
            } else {
                std::memcpy(out, found + r * keys, count * sizeof(float));
            }
        }
    }
}

/// sums[row] = sums[row] × factor[row] + weights[row] · values, `vectors` vectors from `offset` on.
template <class Source, std::size_t rows, std::size_t vectors, bool part>
inline void sumDirect(const float* weights, const float* factors, const KeyBlock& block, SeenKeys seen,
                      std::size_t offset, float* sums, std::size_t stride) {
    const std::size_t rest = block.valueLength - offset;
    Floats tile[rows][vectors];
    LOADER_UNROLL
    for (std::size_t r = 0; r < rows; ++r) {
        LOADER_UNROLL
        for (std::size_t v = 0; v < vectors; ++v)
            tile[r][v] = multiply(load(sums + r * stride + v * kLanes), broadcast(factors[r]));
    }
    for (std::size_t k = seen.first; k < seen.end; ++k) {
        const std::byte* row = block.values + k * block.valueRowBytes;
        Floats value[vectors];
        LOADER_UNROLL
        for (std::size_t v = 0; v < vectors; ++v) {
            const std::size_t i = offset + v * kLanes;
            value[v] = part ? Source::readPart(row, i, rest) : Source::read(row, i);
        }
        LOADER_UNROLL
        for (std::size_t r = 0; r < rows; ++r) {
            const Floats weight = broadcast(weights[r * kKeyBlock + k]);
            LOADER_UNROLL
            for (std::size_t v = 0; v < vectors; ++v)
                tile[r][v] = multiplyAdd(value[v], weight, tile[r][v]);
        }
    }
    LOADER_UNROLL
    for (std::size_t r = 0; r < rows; ++r) {
        LOADER_UNROLL
        for (std::size_t v = 0; v < vectors; ++v)
            store(sums + r * stride + v * kLanes, tile[r][v]);
    }
}

template <class Source, std::size_t rows>
inline void attendChunk(const AttentionRows& all, std::size_t first, const KeyBlock& block) {
    const SeenKeys seen = seenByRows(all, first, rows, block);
    if (seen.first >= seen.end) return;
    alignas(64) float scores[rows * kKeyBlock];
    scoreDirect<Source, rows>(all.queries + first * all.keyStride, all.keyStride, block, seen, scores);
    float factors[rows];
    for (std::size_t r = 0; r < rows; ++r)
        factors[r] = weighScores(all, first + r, block, scores + r * kKeyBlock);
    // Sums in half of the registers of the tier, but at most four vectors of each row.
    constexpr std::size_t most = kDirectSums / rows < 4 ? kDirectSums / rows : 4;
    constexpr std::size_t vectors = most < 1 ? 1 : most;
    const std::size_t stride = all.valueStride;
    float* sums = all.sums + first * stride;
    std::size_t d = 0;
    for (; d + vectors * kLanes <= block.valueLength; d += vectors * kLanes)
        sumDirect<Source, rows, vectors, false>(scores, factors, block, seen, d, sums + d, stride);
    for (; d + kLanes <= block.valueLength; d += kLanes)
        sumDirect<Source, rows, 1, false>(scores, factors, block, seen, d, sums + d, stride);
    if (d < block.valueLength)
        sumDirect<Source, rows, 1, true>(scores, factors, block, seen, d, sums + d, stride);
}

template <class Source>
void attendDirect(const AttentionRows& rows, const KeyBlock& block) {
    for (std::size_t first = 0; first < rows.count; first += kDirectRows) {
        const std::size_t left = rows.count - first;
        switch (left < kDirectRows ? left : kDirectRows) {
            case 1: attendChunk<Source, 1>(rows, first, block); break;
            case 2: attendChunk<Source, 2>(rows, first, block); break;
            case 3: attendChunk<Source, 3>(rows, first, block); break;
            case 4: attendChunk<Source, 4>(rows, first, block); break;
            case 5: attendChunk<Source, (kDirectRows < 5 ? 1 : 5)>(rows, first, block); break;
            case 6: attendChunk<Source, (kDirectRows < 6 ? 1 : 6)>(rows, first, block); break;
            case 7: attendChunk<Source, (kDirectRows < 7 ? 1 : 7)>(rows, first, block); break;
            case 8: attendChunk<Source, (kDirectRows < 8 ? 1 : 8)>(rows, first, block); break;
        }
    }
}
