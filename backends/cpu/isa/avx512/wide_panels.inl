// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of F16 and BF16 times many tokens in 16-bit integers: each block of 32 weights of a row becomes int16
// with a scale of its own, and is multiplied with activations of the kind Int16Block32. Twice the products of
// float registers. Weights and activations keep 13 bits and a sign below the largest value of their block.

/// 128 KiB of values.
inline constexpr std::size_t kWidePanelColumns = 2048;
inline constexpr float kWideLargest = 8191.0f;

static_assert(kPanelRows * kWidePanelColumns * 2 + kPanelRows * kWidePanelColumns / 32 * sizeof(float) <=
              kPanelScratchBytes);
// All 32 products of a block fit one sum.
static_assert(32ll * 8191 * 8191 <= 0x7FFFFFFF);

/// values [columns / 2][32 rows][2], scales [columns / 32][32 rows]
struct WidePanel {
    std::int16_t* values;
    float* scales;
};

/// Sixteen registers of sixteen 32-bit elements, rows to columns, in place.
inline void transposeWide(__m512i (&r)[16]) {
    __m512i a[16];
    LOADER_UNROLL
    for (int i = 0; i < 16; i += 4) {
        const __m512i p = _mm512_unpacklo_epi32(r[i], r[i + 1]), q = _mm512_unpackhi_epi32(r[i], r[i + 1]);
        const __m512i s = _mm512_unpacklo_epi32(r[i + 2], r[i + 3]);
        const __m512i t = _mm512_unpackhi_epi32(r[i + 2], r[i + 3]);
        a[i] = _mm512_unpacklo_epi64(p, s);
        a[i + 1] = _mm512_unpackhi_epi64(p, s);
        a[i + 2] = _mm512_unpacklo_epi64(q, t);
        a[i + 3] = _mm512_unpackhi_epi64(q, t);
    }
    // Lane l of a[4 g + c] now holds column 4 l + c of rows 4 g … 4 g + 3.
    LOADER_UNROLL
    for (int c = 0; c < 4; ++c) {
        const __m512i p = _mm512_shuffle_i64x2(a[c], a[4 + c], 0x88);
        const __m512i q = _mm512_shuffle_i64x2(a[c], a[4 + c], 0xDD);
        const __m512i s = _mm512_shuffle_i64x2(a[8 + c], a[12 + c], 0x88);
        const __m512i t = _mm512_shuffle_i64x2(a[8 + c], a[12 + c], 0xDD);
        r[c] = _mm512_shuffle_i64x2(p, s, 0x88);
        r[4 + c] = _mm512_shuffle_i64x2(q, t, 0x88);
        r[8 + c] = _mm512_shuffle_i64x2(p, s, 0xDD);
        r[12 + c] = _mm512_shuffle_i64x2(q, t, 0xDD);
    }
}

/// The low or the high half of each 32-bit element as a float.
template <class Source>
struct HalvesOf;
template <>
struct HalvesOf<SourceF16> {
    static __m512 low(__m512i pairs) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(pairs)); }
    static __m512 high(__m512i pairs) { return low(_mm512_srli_epi32(pairs, 16)); }
};
template <>
struct HalvesOf<SourceBF16> {
    static __m512 low(__m512i pairs) { return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)); }
    static __m512 high(__m512i pairs) {
        return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))));
    }
};

/// Sixteen rows of one block of 32 columns to their place in the panel. @shape columns: in the block
template <class Source>
inline void unpackWideBlock(const std::byte* const (&rows)[16], std::size_t column, std::size_t columns,
                            std::int16_t* values, float* scales) {
    const auto mask = static_cast<__mmask32>(columns < 32 ? (1u << columns) - 1u : ~0u);
    __m512i pairs[16];
    LOADER_UNROLL
    for (std::size_t r = 0; r < 16; ++r)
        pairs[r] = _mm512_maskz_loadu_epi16(mask, rows[r] + column * 2);
    transposeWide(pairs);
    // Magnitudes compare like their bits.
    __m512i largest = _mm512_setzero_si512();
    LOADER_UNROLL
    for (const __m512i& pair : pairs)
        largest = _mm512_max_epu16(largest, _mm512_and_si512(pair, _mm512_set1_epi16(0x7FFF)));
    largest = _mm512_max_epu16(largest, _mm512_srli_epi32(largest, 16));
    const __m512 magnitude = HalvesOf<Source>::low(largest);
    const __mmask16 counts = _mm512_cmp_ps_mask(magnitude, _mm512_set1_ps(kSmallestMagnitude), _CMP_GE_OQ);
    const __mmask16 finite =
        _mm512_cmp_ps_mask(magnitude, _mm512_set1_ps(std::numeric_limits<float>::max()), _CMP_LE_OQ);
    const __m512 inverse = _mm512_maskz_div_ps(counts & finite, _mm512_set1_ps(kWideLargest), magnitude);
    const __m512 scale = _mm512_maskz_mul_ps(counts, magnitude, _mm512_set1_ps(1.0f / kWideLargest));
    _mm512_store_ps(
        scales, _mm512_mask_blend_ps(finite, _mm512_set1_ps(std::numeric_limits<float>::quiet_NaN()), scale));
    LOADER_UNROLL
    for (std::size_t k = 0; k < 16; ++k) {
        const __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(HalvesOf<Source>::low(pairs[k]), inverse));
        const __m512i high = _mm512_cvtps_epi32(_mm512_mul_ps(HalvesOf<Source>::high(pairs[k]), inverse));
        const __m512i both = _mm512_mask_blend_epi16(0xAAAAAAAAu, low, _mm512_slli_epi32(high, 16));
        _mm512_store_si512(values + k * 2 * kPanelRows, both);
    }
}

template <class Source>
inline void unpackWide(const WeightView& weights, const PanelRange& range, const WidePanel& panel) {
    for (std::size_t group = 0; group < kPanelRows; group += 16) {
        const std::byte* rows[16];
        for (std::size_t r = 0; r < 16; ++r) {
            const std::size_t row = range.firstRow + group + r;
            rows[r] = weights.data + (row < range.lastRow ? row : range.lastRow) * weights.rowBytes +
                      range.firstColumn * 2;
        }
        for (std::size_t column = 0; column < range.columns; column += 32) {
            unpackWideBlock<Source>(rows, column, range.columns - column,
                                    panel.values + column * kPanelRows + group * 2,
                                    panel.scales + column / 32 * kPanelRows + group);
        }
    }
}

template <std::size_t tokens>
void sweepWide(const WidePanel& panel, const PanelRange& range, const ActivationView& activation,
               std::size_t firstToken, float* out) {
    Tile512<tokens> tile;
    tile.open(activation, firstToken);
    const std::size_t scales = activation.layout.scales + range.firstColumn / 32 * 4;
    __m512 low[tokens], high[tokens];
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t)
        low[t] = high[t] = _mm512_setzero_ps();
    for (std::size_t b = 0; b * 32 < range.columns; ++b) {
        const std::int16_t* values = panel.values + b * 32 * kPanelRows;
        const std::size_t place = (range.firstColumn + b * 32) * 2;
        __m512i lowWords[tokens], highWords[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            lowWords[t] = highWords[t] = _mm512_setzero_si512();
        LOADER_UNROLL
        for (std::size_t k = 0; k < 16; ++k) {
            const __m512i first = load512(values + k * kPanelRows * 2);
            const __m512i second = load512(values + k * kPanelRows * 2 + 32);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const __m512i x = tile.word(t, place + k * 4);
                lowWords[t] = _mm512_dpwssd_epi32(lowWords[t], first, x);
                highWords[t] = _mm512_dpwssd_epi32(highWords[t], second, x);
            }
        }
        holdLoads();
        const __m512 lowScale = _mm512_load_ps(panel.scales + b * kPanelRows);
        const __m512 highScale = _mm512_load_ps(panel.scales + b * kPanelRows + 16);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const __m512 x = tile.number(t, scales + b * 4);
            low[t] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(lowWords[t]), lowScale), x, low[t]);
            high[t] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(highWords[t]), highScale), x, high[t]);
        }
    }
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        _mm512_store_ps(out + t * kPanelRows, low[t]);
        _mm512_store_ps(out + t * kPanelRows + 16, high[t]);
    }
}

using WideSweep = void (*)(const WidePanel&, const PanelRange&, const ActivationView&, std::size_t, float*);
inline constexpr WideSweep kWideSweeps[kIntTileTokens + 1] = {
    nullptr, sweepWide<1>, sweepWide<2>, sweepWide<3>, sweepWide<4>, sweepWide<5>, sweepWide<6>};

template <class Source>
void widePanels(const RowsJob& job) {
    auto* values = reinterpret_cast<std::int16_t*>(job.scratch.data);
    const WidePanel panel{values, reinterpret_cast<float*>(values + kPanelRows * kWidePanelColumns)};
    alignas(64) float tile[kIntTileTokens * kPanelRows];
    for (std::size_t row = job.rowBegin; row < job.rowEnd; row += kPanelRows) {
        for (std::size_t column = 0; column < job.weights.columns; column += kWidePanelColumns) {
            const std::size_t left = job.weights.columns - column;
            const PanelRange range{row, job.rowEnd - 1, column,
                                   left < kWidePanelColumns ? left : kWidePanelColumns};
            unpackWide<Source>(job.weights, range, panel);
            for (std::size_t t = 0; t < job.tokens; t += kIntTileTokens) {
                const std::size_t tokens = job.tokens - t < kIntTileTokens ? job.tokens - t : kIntTileTokens;
                kWideSweeps[tokens](panel, range, job.activation, t, tile);
                emitTile(job, tile, row, t, tokens, job.accumulate || column != 0);
            }
        }
    }
}

template <class Source>
struct WideSlot {
    static constexpr ActivationKind kActivation = ActivationKind::F32;
    static constexpr RowsKernel kRows = floatRows<Source>;
    static constexpr RowsKernel kPanels = floatPanels<RowToFloat<Source>>;
    static constexpr ActivationKind kWideActivation = ActivationKind::Int16Block32;
    static constexpr RowsKernel kWide = widePanels<Source>;
};
