// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Activations of two terms times many tokens in the AVX2 tier: with both terms in one 16-bit integer and the
// weights widened to as many bits, one instruction multiplies two columns, where bytes take four for each
// term. A panel is values [columns / 2][32 rows][2] of int16; activations of a tile lie where minima would.

inline constexpr std::size_t kPairColumns = 2048;
/// From token to token of a tile; the odd cache line keeps them out of each other's cache sets.
inline constexpr std::size_t kPairStride = kPairColumns * sizeof(std::int16_t) + 64;

static_assert(kPairColumns * sizeof(std::int16_t) <= kIntPanelColumns);
static_assert(kIntTileTokens * kPairStride <= kPanelRows * (kIntPanelColumns / 16) * sizeof(float));
// All products of a block fit one sum.
static_assert(32ll * 128 * (127 * 256 + 127) <= 0x7FFFFFFF);

/// Rows in groups of eight: the first 16 columns of a block, then the other 16.
template <class Format>
inline void unpackPairs(const WeightView& weights, const PanelRange& range, const IntPanel& panel) {
    for (std::size_t group = 0; group < kPanelRows; group += 8) {
        const std::byte* rows[8];
        rowPointers(weights, range, group, range.firstColumn / 32 * Format::kBytes, rows);
        for (std::size_t b = 0; b < range.columns / 32; ++b) {
            __m256i first[8], second[8];
            LOADER_UNROLL
            for (std::size_t r = 0; r < 8; ++r) {
                const std::byte* block = rows[r] + b * Format::kBytes;
                const __m256i values = Format::values(block);
                first[r] = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(values));
                second[r] = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(values, 1));
                panel.scales[b * kPanelRows + group + r] = Format::scale(block);
            }
            storeGroup(first, panel, b * 64, group);
            storeGroup(second, panel, b * 64 + 32, group);
        }
    }
}

/// 256 × high + low of each value of the range.
inline void joinTerms(const std::byte* record, const PanelRange& range, std::byte* out) {
    const std::byte* in = record + range.firstColumn * 2;
    for (std::size_t b = 0; b < range.columns / 32; ++b, in += 64, out += 64) {
        LOADER_UNROLL
        for (std::size_t part = 0; part < 32; part += 16) {
            const auto* high = reinterpret_cast<const __m128i*>(in + part);
            const auto* low = reinterpret_cast<const __m128i*>(in + 32 + part);
            const __m256i x = _mm256_slli_epi16(_mm256_cvtepi8_epi16(_mm_load_si128(high)), 8);
            _mm256_store_si256(reinterpret_cast<__m256i*>(out + part * 2),
                               _mm256_add_epi16(x, _mm256_cvtepi8_epi16(_mm_load_si128(low))));
        }
    }
}

/// Products of one block of 32 columns and 16 rows. @shape x: [tokens] kPairStride apart
template <std::size_t tokens>
LOADER_INLINE void multiplyPairs(const std::uint8_t* values, const std::byte* x, IntSums<tokens>& sums) {
    LOADER_UNROLL
    for (std::size_t k = 0; k < 16; ++k) {
        holdLoads();
        const __m256i first = loadStep(values + k * kPanelRows * 4);
        const __m256i second = loadStep(values + k * kPanelRows * 4 + 32);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const __m256i y = _mm256_set1_epi32(loadWord(x + t * kPairStride + k * 4));
            const __m256i p = _mm256_madd_epi16(first, y), q = _mm256_madd_epi16(second, y);
            sums.sides[0][t] = k == 0 ? p : _mm256_add_epi32(sums.sides[0][t], p);
            sums.sides[1][t] = k == 0 ? q : _mm256_add_epi32(sums.sides[1][t], q);
            settle(sums.sides[0][t]);
            settle(sums.sides[1][t]);
        }
    }
}

template <class Format, std::size_t tokens>
void sweepPairs(const IntPanel& panel, const PanelRange& range, const ActivationView& activation,
                std::size_t firstToken, float* out) {
    TokenTile<tokens> tile;
    tile.open(activation, firstToken);
    auto* joined = reinterpret_cast<std::byte*>(panel.minima);
    for (std::size_t t = 0; t < tokens; ++t)
        joinTerms(activation.token(firstToken + t), range, joined + t * kPairStride);
    const std::size_t blocks = range.columns / 32;
    std::memset(out, 0, tokens * kPanelRows * sizeof(float));
    for (std::size_t half = 0; half < kPanelRows; half += 16) {
        std::size_t place = range.firstColumn / 32 * 4;
        for (std::size_t b = 0; b < blocks; ++b, place += 4) {
            IntSums<tokens> sums;
            multiplyPairs<tokens>(panel.values + b * 64 * kPanelRows + half * 4, joined + b * 64, sums);
            foldBlock<Format>(sums, tile, panel, b * kPanelRows + half, activation.layout, place, out + half);
        }
    }
}

template <class Format>
requires Format::kTwoTerms struct Tile32<Format> {
    static constexpr IntSweep kSweeps[] = {nullptr, sweepPairs<Format, 1>, sweepPairs<Format, 2>,
                                           sweepPairs<Format, 3>, sweepPairs<Format, 4>};
};

template <class Format>
requires Format::kTwoTerms struct Family32<Format> {
    using Tile = Tile32<Format>;
    static constexpr std::size_t kColumns = kPairColumns;
    static void unpack(const WeightView& weights, const PanelRange& range, const IntPanel& panel) {
        unpackPairs<Format>(weights, range, panel);
    }
};
