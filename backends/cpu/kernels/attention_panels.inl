// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Attention of many query rows: a block of keys is converted to floats once, its keys transposed to panels
// f32[length][two vectors of keys], and every six rows sweep it with a register tile of six by two vectors,
// as for matrices of floats. Scores stay in the first-level cache between the two products.

inline constexpr std::size_t kPanelKeys = 2 * kLanes;
static_assert(kKeyBlock % kPanelKeys == 0 && kHeadPadding % kLanes == 0);

template <class Source>
inline void convertRow(const std::byte* row, float* out, std::size_t length) {
    std::size_t i = 0;
    for (; i + kLanes <= length; i += kLanes)
        store(out + i, Source::read(row, i));
    if (i < length) store(out + i, Source::readPart(row, i, length - i));
}

/// Keys past the end repeat the last: their scores are masked.
template <class Source>
inline void unpackKeys(const KeyBlock& block, float* panels, float* rowSpace) {
    const std::size_t length = block.keyLength;
    const std::size_t stride = length + kHeadPadding;
    for (std::size_t group = 0; group < block.count; group += 8) {
        float* panel = panels + group / kPanelKeys * kPanelKeys * length + group % kPanelKeys;
        const float* rows[8];
        for (std::size_t r = 0; r < 8; ++r) {
            const std::size_t key = group + r < block.count ? group + r : block.count - 1;
            convertRow<Source>(block.keys + key * block.keyRowBytes, rowSpace + r * stride, length);
            rows[r] = rowSpace + r * stride;
        }
        std::size_t k = 0;
        for (; k + 8 <= length; k += 8)
            transpose8x8(rows, k, panel + k * kPanelKeys, kPanelKeys);
        for (; k < length; ++k) {
            for (std::size_t r = 0; r < 8; ++r)
                panel[k * kPanelKeys + r] = rows[r][k];
        }
    }
}

template <class Source>
inline void unpackValues(const KeyBlock& block, float* values, std::size_t stride) {
    for (std::size_t i = 0; i < block.count; ++i) {
        float* out = values + i * stride;
        convertRow<Source>(block.values + i * block.valueRowBytes, out, block.valueLength);
        for (std::size_t k = (block.valueLength + kLanes - 1) / kLanes * kLanes; k < stride; k += kLanes)
            store(out + k, zero());
    }
}

/// scores[row][key] = query · key for six rows and one panel.
inline void scoreTile(const float* queries, std::size_t stride, const float* panel, std::size_t length,
                      float* scores) {
    Floats low[kQueryTile];
    Floats high[kQueryTile];
    LOADER_UNROLL
    for (std::size_t r = 0; r < kQueryTile; ++r)
        low[r] = high[r] = zero();
    for (std::size_t k = 0; k < length; ++k) {
        const Floats first = load(panel + k * kPanelKeys);
        const Floats second = load(panel + k * kPanelKeys + kLanes);
        LOADER_UNROLL
        for (std::size_t r = 0; r < kQueryTile; ++r) {
            const Floats value = broadcast(queries[r * stride + k]);
            low[r] = multiplyAdd(first, value, low[r]);
            high[r] = multiplyAdd(second, value, high[r]);
        }
    }
    LOADER_UNROLL
    for (std::size_t r = 0; r < kQueryTile; ++r) {
        store(scores + r * kKeyBlock, low[r]);
        store(scores + r * kKeyBlock + kLanes, high[r]);
    }
}

/// sums[row] = sums[row] × factor[row] + weights[row] · values, for six rows and `vectors` vectors of them.
template <std::size_t vectors>
inline void sumTile(const float* weights, const float* factors, SeenKeys seen, const float* values,
                    float* sums, std::size_t stride) {
    Floats tile[kQueryTile][vectors];
    LOADER_UNROLL
    for (std::size_t r = 0; r < kQueryTile; ++r) {
        LOADER_UNROLL
        for (std::size_t v = 0; v < vectors; ++v)
            tile[r][v] = multiply(load(sums + r * stride + v * kLanes), broadcast(factors[r]));
    }
    for (std::size_t k = seen.first; k < seen.end; ++k) {
        Floats value[vectors];
        LOADER_UNROLL
        for (std::size_t v = 0; v < vectors; ++v)
            value[v] = load(values + k * stride + v * kLanes);
        LOADER_UNROLL
        for (std::size_t r = 0; r < kQueryTile; ++r) {
            const Floats weight = broadcast(weights[r * kKeyBlock + k]);
            LOADER_UNROLL
            for (std::size_t v = 0; v < vectors; ++v)
                tile[r][v] = multiplyAdd(value[v], weight, tile[r][v]);
        }
    }
    LOADER_UNROLL
    for (std::size_t r = 0; r < kQueryTile; ++r) {
        LOADER_UNROLL
        for (std::size_t v = 0; v < vectors; ++v)
            store(sums + r * stride + v * kLanes, tile[r][v]);
    }
}

template <class Source>
void attendPanels(const AttentionRows& rows, const KeyBlock& block, float* panels) {
    const std::size_t length = block.keyLength;
    const std::size_t stride = rows.valueStride;
    float* rowSpace = panels + kKeyBlock * length;
    float* values = rowSpace + 8 * (length + kHeadPadding);
    unpackKeys<Source>(block, panels, rowSpace);
    unpackValues<Source>(block, values, stride);
    alignas(64) float scores[kQueryTile * kKeyBlock];
    for (std::size_t r = 0; r < rows.count; r += kQueryTile) {
        const SeenKeys seen = seenByRows(rows, r, kQueryTile, block);
        if (seen.first >= seen.end) continue;
        for (std::size_t k = seen.first / kPanelKeys * kPanelKeys; k < seen.end; k += kPanelKeys)
            scoreTile(rows.queries + r * rows.keyStride, rows.keyStride, panels + k * length, length,
                      scores + k);
        float factors[kQueryTile];
        for (std::size_t i = 0; i < kQueryTile; ++i)
            factors[i] = weighScores(rows, r + i, block, scores + i * kKeyBlock);
        std::size_t d = 0;
        for (; d + 2 * kLanes <= stride; d += 2 * kLanes)
            sumTile<2>(scores, factors, seen, values + d, rows.sums + r * stride + d, stride);
        if (d < stride) sumTile<1>(scores, factors, seen, values + d, rows.sums + r * stride + d, stride);
    }
}
