// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Register tile of the AVX-512 tier: 32 rows by up to six tokens. Integer and float sums both live in
// registers; 24 of the 32 hold sums, so that each step needs only two loads of weights and one dword
// broadcast per token.

inline constexpr std::size_t kIntTileTokens = 6;

/// Panels hold quant + 128, which one offset per token undoes; types with a minimum keep their unsigned
/// quants.
template <class Format>
inline __m256i panelValues(__m256i values) {
    if constexpr (Format::kMinimum) return values;
    const int shift = Format::kSigned ? 128 : 128 - Format::kOffset;
    return _mm256_add_epi8(values, _mm256_set1_epi8(static_cast<char>(shift)));
}

template <std::size_t tokens>
struct Tile512 {
    const std::byte* records[tokens];

    inline void open(const ActivationView& activation, std::size_t firstToken) {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            records[t] = activation.token(firstToken + t);
    }
    inline __m512i word(std::size_t t, std::size_t byteOffset) const {
        return _mm512_set1_epi32(loadWord(records[t] + byteOffset));
    }
    inline __m512 number(std::size_t t, std::size_t byteOffset) const {
        return _mm512_castsi512_ps(word(t, byteOffset));
    }
};

inline __m512i load512(const void* p) {
    return _mm512_load_si512(p);
}

/// What comes after is loaded after these sums are complete. See holdLoads(): loads alone would gather in
/// registers if the sums could wait.
template <class Sums>
inline void settle(Sums& low, Sums& high) {
#if defined(__GNUC__)
    asm volatile("" : "+v"(low), "+v"(high) : : "memory");
#else
    (void)low;
    (void)high;
#endif
}

/// Adds `steps` × 4 columns to the integer sums.
template <std::size_t steps, std::size_t tokens>
LOADER_INLINE void addSteps(const Tile512<tokens>& tile, const std::uint8_t* values, std::size_t column,
                            __m512i (&low)[tokens], __m512i (&high)[tokens]) {
    LOADER_UNROLL
    for (std::size_t k = 0; k < steps; ++k) {
        const __m512i first = load512(values + k * kPanelRows * 4);
        const __m512i second = load512(values + k * kPanelRows * 4 + 64);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const __m512i x = tile.word(t, column + k * 4);
            low[t] = _mm512_dpbusd_epi32(low[t], first, x);
            high[t] = _mm512_dpbusd_epi32(high[t], second, x);
            settle(low[t], high[t]);
        }
    }
}

/// Starts the integer sums of one block of 32 columns and adds its products.
template <class Format, std::size_t tokens>
LOADER_INLINE void addBlock(const Tile512<tokens>& tile, const std::uint8_t* values, std::size_t column,
                            std::size_t offset, __m512i (&low)[tokens], __m512i (&high)[tokens]) {
    constexpr bool kFromZero = Format::kMinimum || Format::kTwoTerms;
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        low[t] = kFromZero ? _mm512_setzero_si512() : tile.word(t, offset);
        high[t] = low[t];
    }
    if constexpr (Format::kTwoTerms) {
        // 32 × 255 × 127 × 257 plus the offset, 32 × 128 × 32639, stay below 2^29.
        addSteps<8, tokens>(tile, values, 2 * column, low, high);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const __m512i x = tile.word(t, offset);
            low[t] = _mm512_add_epi32(_mm512_slli_epi32(low[t], 8), x);
            high[t] = _mm512_add_epi32(_mm512_slli_epi32(high[t], 8), x);
            settle(low[t], high[t]);
        }
        addSteps<8, tokens>(tile, values, 2 * column + 32, low, high);
    } else {
        addSteps<8, tokens>(tile, values, column, low, high);
    }
}

template <class Format, std::size_t tokens>
void sweep32(const IntPanel& panel, const PanelRange& range, const ActivationView& activation,
             std::size_t firstToken, float* out) {
    Tile512<tokens> tile;
    tile.open(activation, firstToken);
    __m512 low[tokens], high[tokens];
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t)
        low[t] = high[t] = _mm512_setzero_ps();
    // Copies: what is behind a reference would be read again after each settle().
    const ActivationLayout layout = activation.layout;
    const IntPanel part = panel;
    const std::size_t firstBlock = range.firstColumn / 32, blocks = range.columns / 32;
    for (std::size_t b = 0; b < blocks; ++b) {
        const std::size_t place = (firstBlock + b) * 4;
        __m512i lowWords[tokens], highWords[tokens];
        addBlock<Format>(tile, part.values + b * 32 * kPanelRows, (firstBlock + b) * 32,
                         layout.offsets32 + place, lowWords, highWords);
        const __m512 lowScale = _mm512_load_ps(part.scales + b * kPanelRows);
        const __m512 highScale = _mm512_load_ps(part.scales + b * kPanelRows + 16);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const __m512 x = tile.number(t, layout.scales + place);
            low[t] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(lowWords[t]), lowScale), x, low[t]);
            high[t] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(highWords[t]), highScale), x, high[t]);
            settle(low[t], high[t]);
        }
        if constexpr (Format::kMinimum) {
            const __m512 lowMinimum = _mm512_load_ps(part.minima + b * kPanelRows);
            const __m512 highMinimum = _mm512_load_ps(part.minima + b * kPanelRows + 16);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const __m512 x = tile.number(t, layout.sums + place);
                low[t] = _mm512_fmadd_ps(lowMinimum, x, low[t]);
                high[t] = _mm512_fmadd_ps(highMinimum, x, high[t]);
            }
        }
    }
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        _mm512_store_ps(out + t * kPanelRows, low[t]);
        _mm512_store_ps(out + t * kPanelRows + 16, high[t]);
    }
}

template <class Format, std::size_t tokens>
void sweep256(const IntPanel& panel, const PanelRange& range, const ActivationView& activation,
              std::size_t firstToken, float* out) {
    constexpr std::size_t kFold = Format::kPer16 ? 16 : 32;
    const std::size_t offsets = Format::kPer16 ? activation.layout.offsets16 : activation.layout.offsets32;
    const std::size_t firstColumn = range.firstColumn, blocks = range.columns / 256;
    const IntPanel part = panel;
    Tile512<tokens> tile;
    tile.open(activation, firstToken);
    std::memset(out, 0, tokens * kPanelRows * sizeof(float));
    for (std::size_t b = 0; b < blocks; ++b) {
        __m512 low[tokens], high[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            low[t] = high[t] = _mm512_setzero_ps();
        for (std::size_t column = b * 256; column < b * 256 + 256; column += kFold) {
            const std::size_t place = offsets + (firstColumn + column) / kFold * 4;
            const float* scales = part.scales + column / kFold * kPanelRows;
            __m512i lowWords[tokens], highWords[tokens];
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                lowWords[t] = Format::kMinimum ? _mm512_setzero_si512() : tile.word(t, place);
                highWords[t] = lowWords[t];
            }
            addSteps<kFold / 4, tokens>(tile, part.values + column * kPanelRows, firstColumn + column,
                                        lowWords, highWords);
            const __m512 lowScale = _mm512_load_ps(scales);
            const __m512 highScale = _mm512_load_ps(scales + 16);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                low[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(lowWords[t]), lowScale, low[t]);
                high[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(highWords[t]), highScale, high[t]);
                settle(low[t], high[t]);
            }
            if constexpr (Format::kMinimum) {
                const float* minima = part.minima + column / kFold * kPanelRows;
                const __m512 lowMinimum = _mm512_load_ps(minima);
                const __m512 highMinimum = _mm512_load_ps(minima + 16);
                LOADER_UNROLL
                for (std::size_t t = 0; t < tokens; ++t) {
                    const __m512 x = _mm512_cvtepi32_ps(tile.word(t, place));
                    low[t] = _mm512_fmadd_ps(lowMinimum, x, low[t]);
                    high[t] = _mm512_fmadd_ps(highMinimum, x, high[t]);
                }
            }
        }
        const std::size_t place = activation.layout.scales + (firstColumn / 256 + b) * 4;
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            float* sums = out + t * kPanelRows;
            const __m512 x = tile.number(t, place);
            _mm512_store_ps(sums, _mm512_fmadd_ps(low[t], x, _mm512_load_ps(sums)));
            _mm512_store_ps(sums + 16, _mm512_fmadd_ps(high[t], x, _mm512_load_ps(sums + 16)));
        }
    }
}

using IntSweep = void (*)(const IntPanel&, const PanelRange&, const ActivationView&, std::size_t, float*);

template <class Format>
struct Tile32 {
    static constexpr IntSweep kSweeps[] = {nullptr,
                                           sweep32<Format, 1>,
                                           sweep32<Format, 2>,
                                           sweep32<Format, 3>,
                                           sweep32<Format, 4>,
                                           sweep32<Format, 5>,
                                           sweep32<Format, 6>};
};

template <class Format>
struct Tile256 {
    static constexpr IntSweep kSweeps[] = {nullptr,
                                           sweep256<Format, 1>,
                                           sweep256<Format, 2>,
                                           sweep256<Format, 3>,
                                           sweep256<Format, 4>,
                                           sweep256<Format, 5>,
                                           sweep256<Format, 6>};
};
