// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows times few tokens in 512-bit registers: four blocks of 32 values in one step. Replaces the 256-bit rows
// of isa/avx2/int_rows.inl for the types that are specialised at the end.

/// Four blocks: `low` holds the first 16 values of each, `high` the last 16, all unsigned with the offset of
/// the reader.
struct Quad {
    __m512i low;
    __m512i high;
};

/// The 16 packed bytes at the same place of four blocks, their low halves and their high halves.
template <std::size_t stride>
inline Quad nibbleQuad(const std::byte* quants) {
    __m512i packed = _mm512_castsi128_si512(load128(quants));
    packed = _mm512_inserti32x4(packed, load128(quants + stride), 1);
    packed = _mm512_inserti32x4(packed, load128(quants + 2 * stride), 2);
    packed = _mm512_inserti32x4(packed, load128(quants + 3 * stride), 3);
    const __m512i mask = _mm512_set1_epi8(0x0F);
    return {_mm512_and_si512(packed, mask), _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask)};
}

/// Adds 16 to the values whose bit is set in the four words.
template <std::size_t stride>
inline Quad withFifthBits(Quad quad, const std::byte* words) {
    std::uint64_t low = 0, high = 0;
    for (std::size_t i = 4; i-- > 0;) {
        const auto word = static_cast<std::uint32_t>(loadWord(words + i * stride));
        low = (low << 16) | (word & 0xFFFFu);
        high = (high << 16) | (word >> 16);
    }
    const __m512i bit = _mm512_set1_epi8(16);
    return {_mm512_mask_add_epi8(quad.low, low, quad.low, bit),
            _mm512_mask_add_epi8(quad.high, high, quad.high, bit)};
}

inline Quad lookupQuad(const std::int8_t (&table)[16], Quad indices) {
    const __m512i shifted = _mm512_add_epi8(_mm512_broadcast_i32x4(load128(table)), _mm512_set1_epi8(-128));
    return {_mm512_shuffle_epi8(shifted, indices.low), _mm512_shuffle_epi8(shifted, indices.high)};
}

/// Half precision numbers at the same place of four blocks.
template <std::size_t stride>
inline __m128 halfQuad(const std::byte* p) {
    std::uint16_t bits[4];
    for (std::size_t i = 0; i < 4; ++i)
        std::memcpy(&bits[i], p + i * stride, sizeof(bits[i]));
    __m128i packed = _mm_cvtsi32_si128(bits[0]);
    packed = _mm_insert_epi16(packed, bits[1], 1);
    packed = _mm_insert_epi16(packed, bits[2], 2);
    packed = _mm_insert_epi16(packed, bits[3], 3);
    return _mm_cvtph_ps(packed);
}

struct QuadQ4_0 {
    using Single = FormatQ4_0;
    static constexpr int kOffset = 8;
    static Quad values(const std::byte* p) { return nibbleQuad<18>(p + 2); }
    static __m128 scales(const std::byte* p) { return halfQuad<18>(p); }
};
struct QuadQ4_1 {
    using Single = FormatQ4_1;
    static constexpr int kOffset = 0;
    static Quad values(const std::byte* p) { return nibbleQuad<20>(p + 4); }
    static __m128 scales(const std::byte* p) { return halfQuad<20>(p); }
    static __m128 minima(const std::byte* p) { return halfQuad<20>(p + 2); }
};
struct QuadQ5_0 {
    using Single = FormatQ5_0;
    static constexpr int kOffset = 16;
    static Quad values(const std::byte* p) { return withFifthBits<22>(nibbleQuad<22>(p + 6), p + 2); }
    static __m128 scales(const std::byte* p) { return halfQuad<22>(p); }
};
struct QuadQ5_1 {
    using Single = FormatQ5_1;
    static constexpr int kOffset = 0;
    static Quad values(const std::byte* p) { return withFifthBits<24>(nibbleQuad<24>(p + 8), p + 4); }
    static __m128 scales(const std::byte* p) { return halfQuad<24>(p); }
    static __m128 minima(const std::byte* p) { return halfQuad<24>(p + 2); }
};
struct QuadIQ4_NL {
    using Single = FormatIQ4_NL;
    static constexpr int kOffset = 128;
    static Quad values(const std::byte* p) { return lookupQuad(quant::kIq4Values, nibbleQuad<18>(p + 2)); }
    static __m128 scales(const std::byte* p) { return halfQuad<18>(p); }
};
struct QuadMXFP4 {
    using Single = FormatMXFP4;
    static constexpr int kOffset = 128;
    static Quad values(const std::byte* p) { return lookupQuad(quant::kDoubledE2m1, nibbleQuad<17>(p + 1)); }
    static __m128 scales(const std::byte* p) {
        return _mm_setr_ps(Single::scale(p), Single::scale(p + 17), Single::scale(p + 34),
                           Single::scale(p + 51));
    }
};
/// 32 bytes a block: the halves of the blocks are picked like nibbles, so that one order of activations
/// serves all.
struct QuadQ8_0 {
    using Single = FormatQ8_0;
    static constexpr int kOffset = 128;
    static Quad values(const std::byte* p) {
        const __m512i first = _mm512_inserti64x4(_mm512_castsi256_si512(load256(p + 2)), load256(p + 36), 1);
        const __m512i last = _mm512_inserti64x4(_mm512_castsi256_si512(load256(p + 70)), load256(p + 104), 1);
        const __m512i sign = _mm512_set1_epi8(-128);
        return {_mm512_xor_si512(_mm512_shuffle_i64x2(first, last, 0x88), sign),
                _mm512_xor_si512(_mm512_shuffle_i64x2(first, last, 0xDD), sign)};
    }
    static __m128 scales(const std::byte* p) { return halfQuad<34>(p); }
};

template <class Reader, std::size_t tokens>
inline void multiplyRowQuads(const RowsJob& job, const std::byte* row, std::size_t rowIndex,
                             std::size_t firstToken) {
    using Single = typename Reader::Single;
    const __m512i spread = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    Row32<Single, tokens, 1> rest;
    __m512 sums[tokens];
    __m128 minima[tokens];
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        rest.parts[t] = tokenParts(job.activation, firstToken + t);
        rest.sums[t][0] = _mm256_setzero_ps();
        rest.minima[t] = 0.0f;
        sums[t] = _mm512_setzero_ps();
        minima[t] = _mm_setzero_ps();
    }
    const std::size_t blocks = job.weights.columns / 32;
    std::size_t b = 0;
    for (; b + 4 <= blocks; b += 4) {
        const std::byte* data = row + b * Single::kBytes;
        prefetchAhead<4 * Single::kBytes>(data);
        const Quad quad = Reader::values(data);
        const __m128 scales = Reader::scales(data);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const TokenParts& parts = rest.parts[t];
            const __m512i first = _mm512_loadu_si512(parts.values + b * 32);
            const __m512i last = _mm512_loadu_si512(parts.values + b * 32 + 64);
            __m512i integer = _mm512_setzero_si512();
            if constexpr (Reader::kOffset != 0) {
                // The sum of four lanes takes the offset off, each lane a quarter of it.
                const __m512i offsets = _mm512_castsi128_si512(load128(parts.offsets32 + b));
                integer = _mm512_srai_epi32(_mm512_permutexvar_epi32(spread, offsets),
                                            shiftOf(512 / Reader::kOffset));
            }
            integer = _mm512_dpbusd_epi32(integer, quad.low, _mm512_shuffle_i64x2(first, last, 0x88));
            integer = _mm512_dpbusd_epi32(integer, quad.high, _mm512_shuffle_i64x2(first, last, 0xDD));
            const __m128 factors = _mm_mul_ps(scales, _mm_loadu_ps(parts.scales + b));
            const __m512 lanes = _mm512_permutexvar_ps(spread, _mm512_castps128_ps512(factors));
            sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integer), lanes, sums[t]);
            if constexpr (Single::kMinimum) {
                minima[t] = _mm_fmadd_ps(Reader::minima(data), _mm_loadu_ps(parts.sums + b), minima[t]);
            }
        }
    }
    for (; b < blocks; ++b)
        rest.block(row + b * Single::kBytes, b, 0);
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        const __m512 total = _mm512_add_ps(sums[t], _mm512_zextps256_ps512(rest.sums[t][0]));
        emit(job, rowIndex, firstToken + t,
             sumLanes(_mm512_add_ps(total, _mm512_zextps128_ps512(minima[t]))) + rest.minima[t]);
    }
}

template <class Reader, std::size_t tokens>
struct RowOfQuads {
    static constexpr auto kMultiply = multiplyRowQuads<Reader, tokens>;
};
template <std::size_t tokens>
struct RowOf32<FormatQ4_0, tokens> : RowOfQuads<QuadQ4_0, tokens> {};
template <std::size_t tokens>
struct RowOf32<FormatQ4_1, tokens> : RowOfQuads<QuadQ4_1, tokens> {};
template <std::size_t tokens>
struct RowOf32<FormatQ5_0, tokens> : RowOfQuads<QuadQ5_0, tokens> {};
template <std::size_t tokens>
struct RowOf32<FormatQ5_1, tokens> : RowOfQuads<QuadQ5_1, tokens> {};
template <std::size_t tokens>
struct RowOf32<FormatQ8_0, tokens> : RowOfQuads<QuadQ8_0, tokens> {};
template <std::size_t tokens>
struct RowOf32<FormatIQ4_NL, tokens> : RowOfQuads<QuadIQ4_NL, tokens> {};
template <std::size_t tokens>
struct RowOf32<FormatMXFP4, tokens> : RowOfQuads<QuadMXFP4, tokens> {};
