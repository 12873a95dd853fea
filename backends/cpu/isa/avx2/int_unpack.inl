// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Just-in-time unpacking of 32 rows to an IntPanel. Included by the AVX2 and the AVX-512 tier after their
// int_tile.inl, whose panelValues() says how the tier wants a value.

/// Eight rows of 32 values to their place in the panel.
inline void storeGroup(__m256i (&rows)[8], const IntPanel& panel, std::size_t column, std::size_t group) {
    transposeWords(rows);
    std::uint8_t* out = panel.values + (column / 4 * kPanelRows + group) * 4;
    LOADER_UNROLL
    for (std::size_t k = 0; k < 8; ++k) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(out + k * kPanelRows * 4), rows[k]);
    }
}

inline void rowPointers(const WeightView& weights, const PanelRange& range, std::size_t group,
                        std::size_t byteOffset, const std::byte* (&rows)[8]) {
    for (std::size_t r = 0; r < 8; ++r) {
        const std::size_t row = range.firstRow + group + r;
        rows[r] = weights.data + (row < range.lastRow ? row : range.lastRow) * weights.rowBytes + byteOffset;
    }
}

template <class Format>
inline void unpack32(const WeightView& weights, const PanelRange& range, const IntPanel& panel) {
    for (std::size_t group = 0; group < kPanelRows; group += 8) {
        const std::byte* rows[8];
        rowPointers(weights, range, group, range.firstColumn / 32 * Format::kBytes, rows);
        for (std::size_t b = 0; b < range.columns / 32; ++b) {
            __m256i values[8];
            LOADER_UNROLL
            for (std::size_t r = 0; r < 8; ++r) {
                const std::byte* block = rows[r] + b * Format::kBytes;
                values[r] = panelValues<Format>(Format::values(block));
                panel.scales[b * kPanelRows + group + r] = Format::scale(block);
                if constexpr (Format::kMinimum)
                    panel.minima[b * kPanelRows + group + r] = Format::minimum(block);
            }
            storeGroup(values, panel, b * 32, group);
        }
    }
}

/// Sixteen 16-bit integers times a factor, the low half to `even`, the high half to `odd`.
inline void widenScales(__m256i integers, float factor, float* even, float* odd) {
    const __m256 f = _mm256_set1_ps(factor);
    const __m256i low = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(integers));
    const __m256i high = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(integers, 1));
    _mm256_storeu_ps(even, _mm256_mul_ps(_mm256_cvtepi32_ps(low), f));
    _mm256_storeu_ps(odd, _mm256_mul_ps(_mm256_cvtepi32_ps(high), f));
}

/// The sub-scales of one block of eight rows as floats: [group of 16 or 32][8 rows] inside rows of 32.
template <class Format>
inline void unpackHeads(const std::byte* const (&blocks)[8], float* scales, float* minima) {
    alignas(32) float even[8][8], odd[8][8], evenMinima[8][8], oddMinima[8][8];
    const float *evenRows[8], *oddRows[8], *evenMinimaRows[8], *oddMinimaRows[8];
    for (std::size_t r = 0; r < 8; ++r) {
        const Head head = Format::head(blocks[r]);
        widenScales(head.scales, head.scale, even[r], odd[r]);
        // The tiles multiply with -128 × sum: dividing by 128 is exact, and the sign takes the minimum off.
        widenScales(head.corrections, head.correctionScale * (1.0f / 128), evenMinima[r], oddMinima[r]);
        evenRows[r] = even[r];
        oddRows[r] = odd[r];
        evenMinimaRows[r] = evenMinima[r];
        oddMinimaRows[r] = oddMinima[r];
    }
    constexpr std::size_t kStep = Format::kPer16 ? 2 * kPanelRows : kPanelRows;
    transpose8x8(evenRows, 0, scales, kStep);
    if constexpr (Format::kPer16) transpose8x8(oddRows, 0, scales + kPanelRows, kStep);
    if constexpr (Format::kMinimum) {
        transpose8x8(evenMinimaRows, 0, minima, kStep);
        if constexpr (Format::kPer16) transpose8x8(oddMinimaRows, 0, minima + kPanelRows, kStep);
    }
}

template <class Format>
inline void unpack256(const WeightView& weights, const PanelRange& range, const IntPanel& panel) {
    constexpr std::size_t kFolds = Format::kPer16 ? 16 : 8;
    for (std::size_t group = 0; group < kPanelRows; group += 8) {
        const std::byte* blocks[8];
        rowPointers(weights, range, group, range.firstColumn / 256 * Format::kBytes, blocks);
        for (std::size_t b = 0; b < range.columns / 256; ++b) {
            const std::size_t fold = b * kFolds * kPanelRows + group;
            unpackHeads<Format>(blocks, panel.scales + fold, panel.minima + fold);
            LOADER_UNROLL
            for (int part = 0; part < 8; ++part) {
                __m256i values[8];
                LOADER_UNROLL
                for (std::size_t r = 0; r < 8; ++r)
                    values[r] = panelValues<Format>(Format::values(blocks[r], part));
                storeGroup(values, panel, b * 256 + static_cast<std::size_t>(part) * 32, group);
            }
            for (const std::byte*& block : blocks)
                block += Format::kBytes;
        }
    }
}
