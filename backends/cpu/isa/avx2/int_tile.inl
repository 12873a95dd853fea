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

template <std::size_t tokens>
struct IntSums {
    __m256i low[tokens];
    __m256i high[tokens];
};

/// Adds `steps` × 4 columns of 16 rows to the sums.
template <class Format, int steps, std::size_t tokens>
inline void addSteps(const std::uint8_t* values, const std::int8_t* const (&x)[tokens], std::size_t column,
                     IntSums<tokens>& sums) {
    constexpr int kTogether = kGroup<Format, steps>;
    const __m256i ones = _mm256_set1_epi16(1);
    LOADER_UNROLL
    for (int start = 0; start < steps; start += kTogether) {
        __m256i low[tokens], high[tokens];
        LOADER_UNROLL
        for (int k = start; k < start + kTogether; ++k) {
            const std::uint8_t* step = values + static_cast<std::size_t>(k) * kPanelRows * 4;
            const __m256i first = _mm256_load_si256(reinterpret_cast<const __m256i*>(step));
            const __m256i second = _mm256_load_si256(reinterpret_cast<const __m256i*>(step + 32));
            const __m256i firstSize = Format::kSigned ? _mm256_abs_epi8(first) : first;
            const __m256i secondSize = Format::kSigned ? _mm256_abs_epi8(second) : second;
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const __m256i y =
                    _mm256_set1_epi32(loadWord(x[t] + column + static_cast<std::size_t>(k) * 4));
                const __m256i p =
                    _mm256_maddubs_epi16(firstSize, Format::kSigned ? _mm256_sign_epi8(y, first) : y);
                const __m256i q =
                    _mm256_maddubs_epi16(secondSize, Format::kSigned ? _mm256_sign_epi8(y, second) : y);
                low[t] = k == start ? p : _mm256_add_epi16(low[t], p);
                high[t] = k == start ? q : _mm256_add_epi16(high[t], q);
            }
        }
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            sums.low[t] = _mm256_add_epi32(sums.low[t], _mm256_madd_epi16(low[t], ones));
            sums.high[t] = _mm256_add_epi32(sums.high[t], _mm256_madd_epi16(high[t], ones));
        }
    }
}

/// Starts the sums at what the offset of the quants takes off.
template <class Format, std::size_t tokens>
inline void startSums(const std::int32_t* const (&offsets)[tokens], std::size_t fold, IntSums<tokens>& sums) {
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        sums.low[t] = _mm256_setzero_si256();
        if constexpr (Format::kOffset != 0) {
            sums.low[t] =
                _mm256_srai_epi32(_mm256_set1_epi32(offsets[t][fold]), shiftOf(128 / Format::kOffset));
        }
        sums.high[t] = sums.low[t];
    }
}

/// From the high terms of the activations to the low.
template <std::size_t tokens>
inline void shiftSums(IntSums<tokens>& sums) {
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        sums.low[t] = _mm256_slli_epi32(sums.low[t], 8);
        sums.high[t] = _mm256_slli_epi32(sums.high[t], 8);
    }
}

/// sums[16] += a × b + …
inline void accumulate16(float* sums, __m256 low, __m256 lowFactor, __m256 high, __m256 highFactor) {
    _mm256_store_ps(sums, _mm256_fmadd_ps(low, lowFactor, _mm256_load_ps(sums)));
    _mm256_store_ps(sums + 8, _mm256_fmadd_ps(high, highFactor, _mm256_load_ps(sums + 8)));
}

template <class Format, std::size_t tokens>
void sweep32(const IntPanel& panel, const PanelRange& range, const ActivationView& activation,
             std::size_t firstToken, float* out) {
    const std::int8_t* x[tokens];
    const std::int32_t* offsets[tokens];
    TokenParts parts[tokens];
    for (std::size_t t = 0; t < tokens; ++t) {
        parts[t] = tokenParts(activation, firstToken + t);
        x[t] = parts[t].values;
        offsets[t] = parts[t].offsets32;
    }
    constexpr std::size_t kTerms = Format::kTwoTerms ? 2 : 1;
    std::memset(out, 0, tokens * kPanelRows * sizeof(float));
    for (std::size_t half = 0; half < kPanelRows; half += 16) {
        for (std::size_t b = 0; b < range.columns / 32; ++b) {
            const std::size_t place = range.firstColumn / 32 + b;
            IntSums<tokens> sums;
            startSums<Format, tokens>(offsets, place, sums);
            const std::uint8_t* values = panel.values + b * 32 * kPanelRows + half * 4;
            addSteps<Format, 8, tokens>(values, x, place * 32 * kTerms, sums);
            if constexpr (Format::kTwoTerms) {
                // 32 × 128 × 127 × 257 is below 2^28.
                shiftSums(sums);
                addSteps<Format, 8, tokens>(values, x, place * 64 + 32, sums);
            }
            const __m256 lowScale = _mm256_load_ps(panel.scales + b * kPanelRows + half);
            const __m256 highScale = _mm256_load_ps(panel.scales + b * kPanelRows + half + 8);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const __m256 y = _mm256_set1_ps(parts[t].scales[place]);
                accumulate16(out + t * kPanelRows + half, _mm256_cvtepi32_ps(sums.low[t]),
                             _mm256_mul_ps(lowScale, y), _mm256_cvtepi32_ps(sums.high[t]),
                             _mm256_mul_ps(highScale, y));
                if constexpr (Format::kMinimum) {
                    const __m256 total = _mm256_set1_ps(parts[t].sums[place]);
                    const float* minima = panel.minima + b * kPanelRows + half;
                    accumulate16(out + t * kPanelRows + half, _mm256_load_ps(minima), total,
                                 _mm256_load_ps(minima + 8), total);
                }
            }
        }
    }
}

template <class Format, std::size_t tokens>
void sweep256(const IntPanel& panel, const PanelRange& range, const ActivationView& activation,
              std::size_t firstToken, float* out) {
    constexpr std::size_t kFold = Format::kPer16 ? 16 : 32;
    const std::int8_t* x[tokens];
    const std::int32_t* offsets[tokens];
    const float* xScales[tokens];
    for (std::size_t t = 0; t < tokens; ++t) {
        const TokenParts parts = tokenParts(activation, firstToken + t);
        x[t] = parts.values;
        offsets[t] = Format::kPer16 ? parts.offsets16 : parts.offsets32;
        xScales[t] = parts.scales;
    }
    std::memset(out, 0, tokens * kPanelRows * sizeof(float));
    alignas(32) float block[tokens * 16];
    for (std::size_t half = 0; half < kPanelRows; half += 16) {
        for (std::size_t b = 0; b < range.columns / 256; ++b) {
            std::memset(block, 0, sizeof(block));
            for (std::size_t column = b * 256; column < b * 256 + 256; column += kFold) {
                const std::size_t fold = (range.firstColumn + column) / kFold;
                const std::size_t panelFold = column / kFold * kPanelRows + half;
                IntSums<tokens> sums;
                startSums<Format, tokens>(offsets, fold, sums);
                addSteps<Format, kFold / 4, tokens>(panel.values + column * kPanelRows + half * 4, x,
                                                    range.firstColumn + column, sums);
                const __m256 lowScale = _mm256_load_ps(panel.scales + panelFold);
                const __m256 highScale = _mm256_load_ps(panel.scales + panelFold + 8);
                LOADER_UNROLL
                for (std::size_t t = 0; t < tokens; ++t) {
                    accumulate16(block + t * 16, _mm256_cvtepi32_ps(sums.low[t]), lowScale,
                                 _mm256_cvtepi32_ps(sums.high[t]), highScale);
                    if constexpr (Format::kMinimum) {
                        const __m256 total = _mm256_set1_ps(static_cast<float>(offsets[t][fold]));
                        accumulate16(block + t * 16, _mm256_load_ps(panel.minima + panelFold), total,
                                     _mm256_load_ps(panel.minima + panelFold + 8), total);
                    }
                }
            }
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const __m256 y = _mm256_set1_ps(xScales[t][range.firstColumn / 256 + b]);
                accumulate16(out + t * kPanelRows + half, _mm256_load_ps(block + t * 16), y,
                             _mm256_load_ps(block + t * 16 + 8), y);
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
