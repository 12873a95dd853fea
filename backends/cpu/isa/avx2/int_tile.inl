// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Register tile of the AVX2 tier: twice 16 rows by up to four tokens. Products of small weights are added up
// in 16 bits before they are widened, as far as they fit; weights of eight bits are multiplied as magnitudes,
// their sign moved to the activation.

inline constexpr std::size_t kIntTileTokens = 4;

/// Panels hold the values as they are.
template <class Format>
inline __m256i panelValues(__m256i values) {
    return values;
}

/// How many products of pairs can be added up in 16 bits.
template <class Format, int steps>
inline constexpr int kGroup = Format::kMaximum * 127 * 2 * steps <= 32767 ? steps
                              : Format::kMaximum * 127 * 4 <= 32767       ? 2
                                                                          : 1;

/// The tokens of a tile. One address per token: with one per part of its record the addresses would be
/// spilled.
template <std::size_t tokens>
struct TokenTile {
    const std::byte* records[tokens];

    inline void open(const ActivationView& activation, std::size_t firstToken) {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            records[t] = activation.token(firstToken + t);
    }
    inline __m256i word(std::size_t t, std::size_t byteOffset) const {
        return _mm256_set1_epi32(loadWord(records[t] + byteOffset));
    }
    inline __m256 number(std::size_t t, std::size_t byteOffset) const {
        return _mm256_castsi256_ps(word(t, byteOffset));
    }
};

/// The compiler may not put off the additions up to here, to add in another order: it would have to keep
/// every summand.
inline void settle(__m256i& sum) {
#if defined(__GNUC__)
    asm("" : "+x"(sum));
#else
    (void)sum;
#endif
}

template <std::size_t tokens>
struct IntSums {
    /// Of the first and of the second eight rows.
    __m256i sides[2][tokens];
};

inline __m256i widen(__m256i pairs) {
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

inline __m256i loadStep(const std::uint8_t* values) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(values));
}

template <class Format>
inline __m256i magnitude(__m256i values) {
    return Format::kSigned ? _mm256_abs_epi8(values) : values;
}

/// Pairs of products. @shape size: magnitude(values)
template <class Format>
inline __m256i products(__m256i values, __m256i size, __m256i x) {
    return _mm256_maddubs_epi16(size, Format::kSigned ? _mm256_sign_epi8(x, values) : x);
}

/// The products of all `steps` × 4 columns fit 16 bits: the sums are widened once.
template <class Format, int steps, std::size_t tokens>
LOADER_INLINE void multiplyTogether(const std::uint8_t* values, const TokenTile<tokens>& tile,
                                    std::size_t column, IntSums<tokens>& sums) {
    LOADER_UNROLL
    for (int k = 0; k < steps; ++k) {
        const std::size_t step = static_cast<std::size_t>(k);
        holdLoads();
        const __m256i first = loadStep(values + step * kPanelRows * 4);
        const __m256i second = loadStep(values + step * kPanelRows * 4 + 32);
        const __m256i firstSize = magnitude<Format>(first), secondSize = magnitude<Format>(second);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const __m256i x = tile.word(t, column + step * 4);
            const __m256i p = products<Format>(first, firstSize, x);
            sums.sides[0][t] = k == 0 ? p : _mm256_add_epi16(sums.sides[0][t], p);
            const __m256i q = products<Format>(second, secondSize, x);
            sums.sides[1][t] = k == 0 ? q : _mm256_add_epi16(sums.sides[1][t], q);
            settle(sums.sides[0][t]);
            settle(sums.sides[1][t]);
        }
    }
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        sums.sides[0][t] = widen(sums.sides[0][t]);
        sums.sides[1][t] = widen(sums.sides[1][t]);
    }
}

/// Sum of the products of kTogether steps. @shape weights, sizes: of consecutive steps
template <class Format, int kTogether>
inline __m256i widenedProducts(const __m256i (&weights)[kTogether], const __m256i (&sizes)[kTogether],
                               const __m256i (&x)[kTogether]) {
    __m256i sum = products<Format>(weights[0], sizes[0], x[0]);
    LOADER_UNROLL
    for (int i = 1; i < kTogether; ++i)
        sum = _mm256_add_epi16(sum, products<Format>(weights[i], sizes[i], x[i]));
    return widen(sum);
}

/// `kTogether` steps to the sums of eight rows from `firstSide` on, or of sixteen.
template <class Format, int kTogether, std::size_t firstSide, std::size_t sides, bool start,
          std::size_t tokens>
LOADER_INLINE void widenSteps(const std::uint8_t* values, const TokenTile<tokens>& tile, std::size_t column,
                              IntSums<tokens>& sums) {
    holdLoads();
    __m256i weights[sides][kTogether], sizes[sides][kTogether];
    LOADER_UNROLL
    for (std::size_t side = 0; side < sides; ++side) {
        LOADER_UNROLL
        for (int i = 0; i < kTogether; ++i) {
            weights[side][i] =
                loadStep(values + static_cast<std::size_t>(i) * kPanelRows * 4 + (firstSide + side) * 32);
            sizes[side][i] = magnitude<Format>(weights[side][i]);
        }
    }
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        holdLoads();
        __m256i x[kTogether];
        LOADER_UNROLL
        for (int i = 0; i < kTogether; ++i)
            x[i] = tile.word(t, column + static_cast<std::size_t>(i) * 4);
        LOADER_UNROLL
        for (std::size_t side = 0; side < sides; ++side) {
            const __m256i p = widenedProducts<Format>(weights[side], sizes[side], x);
            __m256i& sum = sums.sides[firstSide + side][t];
            sum = start ? p : _mm256_add_epi32(sum, p);
            settle(sum);
        }
    }
}

/// Sums of 32 bits, to which the products of one step or of two are added.
template <class Format, int steps, std::size_t tokens>
LOADER_INLINE void multiplyWidening(const std::uint8_t* values, const TokenTile<tokens>& tile,
                                    std::size_t column, IntSums<tokens>& sums) {
    constexpr int kTogether = kGroup<Format, steps> < 2 ? 1 : 2;
    // Two steps with signs take so many registers that the second eight rows have to wait.
    constexpr std::size_t kSides = kTogether == 2 && Format::kSigned ? 1 : 2;
    LOADER_UNROLL
    for (std::size_t k = 0; k < steps; k += kTogether) {
        const std::uint8_t* step = values + k * kPanelRows * 4;
        if (k == 0) {
            widenSteps<Format, kTogether, 0, kSides, true>(step, tile, column, sums);
            if constexpr (kSides == 1) widenSteps<Format, kTogether, 1, 1, true>(step, tile, column, sums);
        } else {
            widenSteps<Format, kTogether, 0, kSides, false>(step, tile, column + k * 4, sums);
            if constexpr (kSides == 1)
                widenSteps<Format, kTogether, 1, 1, false>(step, tile, column + k * 4, sums);
        }
    }
}

/// sums = products of `steps` × 4 columns of 16 rows.
template <class Format, int steps, std::size_t tokens>
LOADER_INLINE void multiplySteps(const std::uint8_t* values, const TokenTile<tokens>& tile,
                                 std::size_t column, IntSums<tokens>& sums) {
    if constexpr (kGroup<Format, steps> == steps) {
        multiplyTogether<Format, steps>(values, tile, column, sums);
    } else {
        multiplyWidening<Format, steps>(values, tile, column, sums);
    }
}

/// What the offset of the quants takes off. @shape byteOffset: of the activation's offset in its record
template <class Format, std::size_t tokens>
inline __m256 withOffset(__m256i sum, const TokenTile<tokens>& tile, std::size_t t, std::size_t byteOffset) {
    if constexpr (Format::kOffset != 0) {
        const int shift = shiftOf(128 / Format::kOffset);
        sum = _mm256_add_epi32(sum, _mm256_srai_epi32(tile.word(t, byteOffset), shift));
    }
    return _mm256_cvtepi32_ps(sum);
}

/// sums[16] += values × factors + …
template <class Format>
inline void accumulate16(float* sums, __m256 low, __m256 lowFactor, __m256 high, __m256 highFactor,
                         const float* minima, __m256 total) {
    __m256 first = _mm256_fmadd_ps(low, lowFactor, _mm256_load_ps(sums));
    __m256 second = _mm256_fmadd_ps(high, highFactor, _mm256_load_ps(sums + 8));
    if constexpr (Format::kMinimum) {
        first = _mm256_fmadd_ps(total, _mm256_load_ps(minima), first);
        second = _mm256_fmadd_ps(total, _mm256_load_ps(minima + 8), second);
    }
    _mm256_store_ps(sums, first);
    _mm256_store_ps(sums + 8, second);
}

/// out[16] of each token += sums of one block of 32 columns × the scales of both. @shape fold: of the panel's
/// scales; place: byte offset inside the parts of the tokens' records
template <class Format, std::size_t tokens>
LOADER_INLINE void foldBlock(const IntSums<tokens>& sums, const TokenTile<tokens>& tile,
                             const IntPanel& panel, std::size_t fold, const ActivationLayout& layout,
                             std::size_t place, float* out) {
    holdLoads();
    const __m256 lowScale = _mm256_load_ps(panel.scales + fold);
    const __m256 highScale = _mm256_load_ps(panel.scales + fold + 8);
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        holdLoads();
        const __m256 y = tile.number(t, layout.scales + place);
        const __m256 total = Format::kMinimum ? tile.number(t, layout.sums + place) : y;
        const __m256 low = withOffset<Format>(sums.sides[0][t], tile, t, layout.offsets32 + place);
        const __m256 high = withOffset<Format>(sums.sides[1][t], tile, t, layout.offsets32 + place);
        accumulate16<Format>(out + t * kPanelRows, low, _mm256_mul_ps(lowScale, y), high,
                             _mm256_mul_ps(highScale, y), panel.minima + fold, total);
    }
}

template <class Format, std::size_t tokens>
void sweep32(const IntPanel& panel, const PanelRange& range, const ActivationView& activation,
             std::size_t firstToken, float* out) {
    TokenTile<tokens> tile;
    tile.open(activation, firstToken);
    // Copies: what is behind a reference would be read again after each holdLoads().
    const ActivationLayout layout = activation.layout;
    const IntPanel part = panel;
    const std::size_t blocks = range.columns / 32;
    std::memset(out, 0, tokens * kPanelRows * sizeof(float));
    for (std::size_t half = 0; half < kPanelRows; half += 16) {
        std::size_t place = range.firstColumn / 32;
        for (std::size_t b = 0; b < blocks; ++b, ++place) {
            IntSums<tokens> sums;
            multiplySteps<Format, 8>(part.values + b * 32 * kPanelRows + half * 4, tile, place * 32, sums);
            foldBlock<Format>(sums, tile, part, b * kPanelRows + half, layout, place * 4, out + half);
        }
    }
}

/// block[16] of each token += sums of one fold × its scales. @shape scales, minima: 16 rows
template <class Format, std::size_t tokens>
LOADER_INLINE void addFold(const IntSums<tokens>& sums, const TokenTile<tokens>& tile, std::size_t offset,
                           const float* scales, const float* minima, float* block) {
    holdLoads();
    const __m256 lowScale = _mm256_load_ps(scales);
    const __m256 highScale = _mm256_load_ps(scales + 8);
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        holdLoads();
        const __m256 total = Format::kMinimum ? _mm256_cvtepi32_ps(tile.word(t, offset)) : lowScale;
        accumulate16<Format>(block + t * 16, withOffset<Format>(sums.sides[0][t], tile, t, offset), lowScale,
                             withOffset<Format>(sums.sides[1][t], tile, t, offset), highScale, minima, total);
    }
}

template <class Format, std::size_t tokens>
void sweep256(const IntPanel& panel, const PanelRange& range, const ActivationView& activation,
              std::size_t firstToken, float* out) {
    constexpr std::size_t kFold = Format::kPer16 ? 16 : 32;
    TokenTile<tokens> tile;
    tile.open(activation, firstToken);
    const std::size_t xScales = activation.layout.scales + range.firstColumn / 256 * 4;
    const std::size_t offsets = (Format::kPer16 ? activation.layout.offsets16 : activation.layout.offsets32) +
                                range.firstColumn / kFold * 4;
    const std::size_t firstColumn = range.firstColumn;
    const std::size_t blocks = range.columns / 256;
    std::memset(out, 0, tokens * kPanelRows * sizeof(float));
    alignas(32) float block[tokens * 16];
    for (std::size_t half = 0; half < kPanelRows; half += 16) {
        const std::uint8_t* values = panel.values + half * 4;
        for (std::size_t b = 0; b < blocks; ++b) {
            std::memset(block, 0, sizeof(block));
            for (std::size_t fold = b * (256 / kFold); fold < (b + 1) * (256 / kFold); ++fold) {
                IntSums<tokens> sums;
                multiplySteps<Format, kFold / 4>(values, tile, firstColumn + fold * kFold, sums);
                addFold<Format>(sums, tile, offsets + fold * 4, panel.scales + fold * kPanelRows + half,
                                panel.minima + fold * kPanelRows + half, block);
                values += kFold * kPanelRows;
            }
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                float* o = out + t * kPanelRows + half;
                const __m256 y = tile.number(t, xScales + b * 4);
                const float* sums = block + t * 16;
                _mm256_store_ps(o, _mm256_fmadd_ps(_mm256_load_ps(sums), y, _mm256_load_ps(o)));
                _mm256_store_ps(o + 8, _mm256_fmadd_ps(_mm256_load_ps(sums + 8), y, _mm256_load_ps(o + 8)));
            }
        }
    }
}

using IntSweep = void (*)(const IntPanel&, const PanelRange&, const ActivationView&, std::size_t, float*);

template <class Format>
struct Tile32 {
    static constexpr IntSweep kSweeps[] = {nullptr, sweep32<Format, 1>, sweep32<Format, 2>,
                                           sweep32<Format, 3>, sweep32<Format, 4>};
};

template <class Format>
struct Tile256 {
    static constexpr IntSweep kSweeps[] = {nullptr, sweep256<Format, 1>, sweep256<Format, 2>,
                                           sweep256<Format, 3>, sweep256<Format, 4>};
};
