// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The codebook types for int_rows_blocks.inl: the indices of a block are made in registers, only the look-ups
// themselves are scalar, and signs become mask registers.

/// Eight entries of a codebook.
template <class Grid, class Index>
inline __m512i lookUpEight(const Grid& grid, const Index* i) {
    return _mm512_setr_epi64(static_cast<long long>(grid[i[0]]), static_cast<long long>(grid[i[1]]),
                             static_cast<long long>(grid[i[2]]), static_cast<long long>(grid[i[3]]),
                             static_cast<long long>(grid[i[4]]), static_cast<long long>(grid[i[5]]),
                             static_cast<long long>(grid[i[6]]), static_cast<long long>(grid[i[7]]));
}

template <class Grid, class Index>
inline void lookUpBlock(const Grid& grid, const Index* indices, WideBlock& out) {
    LOADER_UNROLL
    for (std::size_t i = 0; i < 4; ++i)
        out.values[i] = lookUpEight(grid, indices + i * 8);
}

/// Four entries of four bytes each.
template <class Grid, class Index>
inline __m128i lookUpFour(const Grid& grid, const Index* i) {
    return _mm_setr_epi32(static_cast<int>(grid[i[0]]), static_cast<int>(grid[i[1]]),
                          static_cast<int>(grid[i[2]]), static_cast<int>(grid[i[3]]));
}

/// 64 entries of four bytes each. A gather instruction takes twice as long.
template <class Grid, class Index>
inline void lookUpSmallBlock(const Grid& grid, const Index* indices, WideBlock& out) {
    LOADER_UNROLL
    for (std::size_t i = 0; i < 4; ++i) {
        __m512i values = _mm512_castsi128_si512(lookUpFour(grid, indices + i * 16));
        values = _mm512_inserti32x4(values, lookUpFour(grid, indices + i * 16 + 4), 1);
        values = _mm512_inserti32x4(values, lookUpFour(grid, indices + i * 16 + 8), 2);
        out.values[i] = _mm512_inserti32x4(values, lookUpFour(grid, indices + i * 16 + 12), 3);
    }
}

inline void plainSignMasks(const std::byte* bits, WideBlock& out) {
    std::memcpy(out.negative, bits, 32);
}

/// 32 sign indices of seven bits, one a byte: the eighth bit makes the number of negative values even.
inline void indexedSignMasks(__m256i indices, WideBlock& out) {
    const __m256i folded = _mm256_xor_si256(indices, _mm256_srli_epi16(indices, 4));
    const __m256i parity = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
    const __m256i top = _mm256_shuffle_epi8(parity, _mm256_and_si256(folded, _mm256_set1_epi8(0x0F)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.negative), _mm256_or_si256(indices, top));
}

/// The four indices of seven bits in each of eight words, one a byte.
inline __m256i sevenBitBytes(__m256i words) {
    const __m256i first = _mm256_and_si256(words, _mm256_set1_epi32(0x7F));
    const __m256i second = _mm256_and_si256(_mm256_slli_epi32(words, 1), _mm256_set1_epi32(0x7F00));
    const __m256i third = _mm256_and_si256(_mm256_slli_epi32(words, 2), _mm256_set1_epi32(0x7F0000));
    const __m256i last = _mm256_and_si256(_mm256_slli_epi32(words, 3), _mm256_set1_epi32(0x7F000000));
    return _mm256_or_si256(_mm256_or_si256(first, second), _mm256_or_si256(third, last));
}

/// The bytes of 32 indices with bits above them: from eight numbers of 16 bits, `bytes` picks which byte of a
/// number each index takes, `left` and `right` move its bits to `mask`.
inline __m512i wideIndices(const std::byte* low, __m512i numbers, std::uint64_t bytes, std::uint64_t left,
                           std::uint64_t right, short mask) {
    const __m512i pick = _mm512_set1_epi64(static_cast<long long>(bytes));
    const __m512i inLane =
        _mm512_add_epi8(pick, _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0, 0x08080808, 0x08080808)));
    const __m512i words = _mm512_shuffle_epi8(numbers, inLane);
    const __m512i up = _mm512_sllv_epi16(words, _mm512_set1_epi64(static_cast<long long>(left)));
    const __m512i bits = _mm512_srlv_epi16(up, _mm512_set1_epi64(static_cast<long long>(right)));
    return _mm512_or_si512(_mm512_cvtepu8_epi16(load256(low)),
                           _mm512_and_si512(bits, _mm512_set1_epi16(mask)));
}

struct GridIndices {
    alignas(64) std::uint16_t at[32];
    explicit GridIndices(__m512i indices) { _mm512_store_si512(at, indices); }
};

template <>
struct WideReader<FormatIQ2_XXS> {
    static constexpr bool kSigned = true;
    static void read(const std::byte* block, WideBlock& out) {
        const auto* quants = reinterpret_cast<const std::uint8_t*>(block + 2);
        LOADER_UNROLL
        for (std::size_t i = 0; i < 4; ++i) {
            const std::uint8_t* q = quants + i * 16;
            const auto& grid = quant::kIq2XxsGrid;
            const __m256i first = four64(grid[q[0]], grid[q[1]], grid[q[2]], grid[q[3]]);
            const __m256i last = four64(grid[q[8]], grid[q[9]], grid[q[10]], grid[q[11]]);
            out.values[i] = _mm512_inserti64x4(_mm512_castsi256_si512(first), last, 1);
        }
        const __m512i words = _mm512_srli_epi64(_mm512_loadu_si512(quants), 32);
        indexedSignMasks(sevenBitBytes(_mm512_cvtepi64_epi32(words)), out);
    }
};

template <>
struct WideReader<FormatIQ2_XS> {
    static constexpr bool kSigned = true;
    static void read(const std::byte* block, WideBlock& out) {
        const __m512i quants = _mm512_loadu_si512(block + 2);
        const GridIndices indices(_mm512_and_si512(quants, _mm512_set1_epi16(511)));
        indexedSignMasks(_mm512_cvtepi16_epi8(_mm512_srli_epi16(quants, 9)), out);
        lookUpBlock(quant::kIq2XsGrid, indices.at, out);
    }
};

template <>
struct WideReader<FormatIQ2_S> {
    static constexpr bool kSigned = true;
    static void read(const std::byte* block, WideBlock& out) {
        const __m512i high =
            _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(block + 66)));
        const GridIndices indices(wideIndices(block + 2, high, 0, 0x0002000400060008, 0, 0x300));
        plainSignMasks(block + 34, out);
        lookUpBlock(quant::kIq2SGrid, indices.at, out);
    }
};

template <>
struct WideReader<FormatIQ3_XXS> {
    static constexpr bool kSigned = true;
    static void read(const std::byte* block, WideBlock& out) {
        indexedSignMasks(sevenBitBytes(load256(block + 66)), out);
        lookUpSmallBlock(quant::kIq3XxsGrid, reinterpret_cast<const std::uint8_t*>(block + 2), out);
    }
};

template <>
struct WideReader<FormatIQ3_S> {
    static constexpr bool kSigned = true;
    static void read(const std::byte* block, WideBlock& out) {
        plainSignMasks(block + 74, out);
        // One more bit for each of 64 indices.
        std::uint32_t low, high;
        std::memcpy(&low, block + 66, sizeof(low));
        std::memcpy(&high, block + 70, sizeof(high));
        const __m512i bit = _mm512_set1_epi16(256);
        const __m512i first = _mm512_cvtepu8_epi16(load256(block + 2));
        const __m512i last = _mm512_cvtepu8_epi16(load256(block + 34));
        alignas(64) std::uint16_t indices[64];
        _mm512_store_si512(indices, _mm512_mask_add_epi16(first, low, first, bit));
        _mm512_store_si512(indices + 32, _mm512_mask_add_epi16(last, high, last, bit));
        lookUpSmallBlock(quant::kIq3SGrid, indices, out);
    }
};

/// Digits are taken as 0, 1 and 2; what that is too much, and the shift by an eighth, is in the corrections.
template <>
struct WideReader<FormatIQ1_S> {
    static constexpr bool kSigned = false;
    static void read(const std::byte* block, WideBlock& out) {
        const GridIndices indices(wideIndices(block + 2, _mm512_cvtepu16_epi64(load128(block + 34)),
                                              0x0100010001000100, 0x0000000200050008, 0x0001000000000000,
                                              0x700));
        lookUpBlock(quant::kIq1Grid, indices.at, out);
        LOADER_UNROLL
        for (__m512i& digits : out.values)
            digits = _mm512_add_epi8(digits, _mm512_set1_epi8(1));
    }
};

struct HeadIQ1_S {
    static constexpr std::size_t kBytes = FormatIQ1_S::kBytes;
    static Head head(const std::byte* block) {
        const __m128i high = load128(block + 34);
        const __m128i threeBits = _mm_and_si128(_mm_srli_epi16(high, 12), _mm_set1_epi16(7));
        const __m128i scales = _mm_add_epi16(_mm_add_epi16(threeBits, threeBits), _mm_set1_epi16(1));
        const __m128i negative = _mm_srai_epi16(high, 15);
        // Eight eighths, less one where values shift up, and one more where they shift down.
        const __m128i shift = _mm_sub_epi16(_mm_xor_si128(scales, negative), negative);
        const __m128i corrections = _mm_sub_epi16(_mm_slli_epi16(scales, 3), shift);
        const float scale = halfScale(block);
        return {scale, scale * 0.125f, bothHalves(scales), bothHalves(corrections)};
    }
};
template <>
struct HeadReader<FormatIQ1_S> : JoinedHeads<HeadIQ1_S, 2> {};

template <>
struct WideReader<FormatIQ1_M> {
    static constexpr bool kSigned = true;
    static void read(const std::byte* block, WideBlock& out) {
        const __m128i high = load128(block + 32);
        const GridIndices indices(wideIndices(block, _mm512_cvtepu16_epi64(high), 0x0101010100000000,
                                              0x0004000800040008, 0, 0x700));
        lookUpBlock(quant::kIq1Grid, indices.at, out);
        const __m128i upper = _mm_slli_epi16(high, 4);
        const std::uint32_t down =
            static_cast<std::uint32_t>(_mm_movepi8_mask(_mm_unpacklo_epi8(upper, high))) |
            (static_cast<std::uint32_t>(_mm_movepi8_mask(_mm_unpackhi_epi8(upper, high))) << 16);
        LOADER_UNROLL
        for (int i = 0; i < 4; ++i) {
            const __m512i eightfold = _mm512_and_si512(_mm512_slli_epi16(out.values[i], 3),
                                                       _mm512_set1_epi8(static_cast<char>(0xF8)));
            const auto mask = static_cast<__mmask8>(down >> (8 * i));
            const __m512i shift = _mm512_mask_blend_epi64(mask, _mm512_set1_epi8(1), _mm512_set1_epi8(-1));
            const __m512i values = _mm512_add_epi8(eightfold, shift);
            out.values[i] = _mm512_abs_epi8(values);
            out.negative[i] = _mm512_movepi8_mask(values);
        }
    }
};

template <>
struct RowOf256<FormatQ2_K> : RowOfBlocks<FormatQ2_K> {};
template <>
struct RowOf256<FormatQ3_K> : RowOfBlocks<FormatQ3_K> {};
template <>
struct RowOf256<FormatQ4_K> : RowOfChunks<FormatQ4_K> {};
template <>
struct RowOf256<FormatQ5_K> : RowOfChunks<FormatQ5_K> {};
template <>
struct RowOf256<FormatQ6_K> : RowOfBlocks<FormatQ6_K> {};
template <>
struct RowOf256<FormatIQ2_XXS> : RowOfBlocks<FormatIQ2_XXS> {};
template <>
struct RowOf256<FormatIQ2_XS> : RowOfBlocks<FormatIQ2_XS> {};
template <>
struct RowOf256<FormatIQ2_S> : RowOfBlocks<FormatIQ2_S> {};
template <>
struct RowOf256<FormatIQ3_XXS> : RowOfBlocks<FormatIQ3_XXS> {};
template <>
struct RowOf256<FormatIQ3_S> : RowOfBlocks<FormatIQ3_S> {};
template <>
struct RowOf256<FormatIQ1_S> : RowOfBlocks<FormatIQ1_S> {};
template <>
struct RowOf256<FormatIQ1_M> : RowOfBlocks<FormatIQ1_M> {};
template <>
struct RowOf256<FormatTQ2_0> : RowOfBlocks<FormatTQ2_0> {};
template <>
struct RowOf256<FormatTQ1_0> : RowOfBlocks<FormatTQ1_0> {};
