// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of blocks of 256 values times few tokens, 512 bits wide. The quants of a block stay in four registers
// for all tokens. Four products of a quant and an activation fit 16 bits, so that two registers of sums pack
// into one before they meet the sub-scales: half the multiplications of scaling every pair of products.

inline float sumLanes(__m512 x) {
    return _mm512_reduce_add_ps(x);
}

/// The 256 quants of a block in the order of the row, without sign, and a bit for each that is negative.
struct WideBlock {
    __m512i values[4];
    __mmask64 negative[4];
};

inline __m512i twice(const void* p) {
    return _mm512_broadcast_i64x4(load256(p));
}

/// A shift count for each half of a register.
inline __m512i shiftCounts(short low, short high) {
    return _mm512_inserti64x4(_mm512_set1_epi16(low), _mm256_set1_epi16(high), 1);
}

/// low | (high & mask)
inline __m512i withBits(__m512i low, __m512i high, char mask) {
    return _mm512_ternarylogic_epi32(low, high, _mm512_set1_epi8(mask), 0xF8);
}

/// What a format does not specialise: its 256-bit groups, joined.
template <class Format>
struct WideReader {
    static constexpr bool kSigned = Format::kSigned;
    static void read(const std::byte* block, WideBlock& out) {
        LOADER_UNROLL
        for (int pair = 0; pair < 4; ++pair) {
            const __m512i first = _mm512_castsi256_si512(Format::values(block, 2 * pair));
            const __m512i both = _mm512_inserti64x4(first, Format::values(block, 2 * pair + 1), 1);
            out.values[pair] = Format::kSigned ? _mm512_abs_epi8(both) : both;
            out.negative[pair] = Format::kSigned ? _mm512_movepi8_mask(both) : 0;
        }
    }
};

/// Of every 128 bytes the even groups of 32, then the odd. @shape bytes: a multiple of 128
inline void evenGroupsFirst(const std::int8_t* in, std::size_t bytes, std::int8_t* out) {
    for (std::size_t i = 0; i < bytes; i += 128) {
        const __m512i first = _mm512_loadu_si512(in + i);
        const __m512i last = _mm512_loadu_si512(in + i + 64);
        _mm512_storeu_si512(out + i, _mm512_shuffle_i64x2(first, last, 0x44));
        _mm512_storeu_si512(out + i + 64, _mm512_shuffle_i64x2(first, last, 0xEE));
    }
}

/// As the halves of 64 packed bytes give the values.
struct ChunkOrder {
    static std::size_t bytes(std::size_t columns) { return columns; }
    static void arrange(const std::int8_t* in, std::size_t columns, std::int8_t* out) {
        evenGroupsFirst(in, columns, out);
    }
};

/// Low and high halves of 128 bytes, in ChunkOrder.
inline void readNibbles(const std::byte* quants, WideBlock& out) {
    const __m512i mask = _mm512_set1_epi8(0x0F);
    LOADER_UNROLL
    for (std::size_t half = 0; half < 2; ++half) {
        const __m512i packed = _mm512_loadu_si512(quants + half * 64);
        out.values[2 * half] = _mm512_and_si512(packed, mask);
        out.values[2 * half + 1] = _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask);
    }
}

/// Bits `low` and `high` of 32 bytes, as bit `place` of the values of the two halves.
template <int place, int low, int high = low + 1>
inline __m512i bitsOf(__m512i bytes) {
    static_assert(high <= place || low >= place);
    if constexpr (high <= place) return _mm512_sllv_epi16(bytes, shiftCounts(place - low, place - high));
    return _mm512_srlv_epi16(bytes, shiftCounts(low - place, high - place));
}

template <>
struct WideReader<FormatQ4_K> {
    static constexpr bool kSigned = false;
    static void read(const std::byte* block, WideBlock& out) { readNibbles(block + 16, out); }
};

template <>
struct WideReader<FormatQ5_K> {
    static constexpr bool kSigned = false;
    static void read(const std::byte* block, WideBlock& out) {
        readNibbles(block + 48, out);
        const __m512i bits = twice(block + 16);
        out.values[0] = withBits(out.values[0], bitsOf<4, 0, 2>(bits), 16);
        out.values[1] = withBits(out.values[1], bitsOf<4, 1, 3>(bits), 16);
        out.values[2] = withBits(out.values[2], bitsOf<4, 4, 6>(bits), 16);
        out.values[3] = withBits(out.values[3], bitsOf<4, 5, 7>(bits), 16);
    }
};

template <>
struct WideReader<FormatQ6_K> {
    static constexpr bool kSigned = false;
    static void read(const std::byte* block, WideBlock& out) {
        const __m512i mask = _mm512_set1_epi8(0x0F);
        LOADER_UNROLL
        for (std::size_t half = 0; half < 2; ++half) {
            const __m512i packed = _mm512_loadu_si512(block + half * 64);
            const __m512i pairs = twice(block + 128 + half * 32);
            const __m512i high = _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask);
            out.values[2 * half] =
                withBits(_mm512_and_si512(packed, mask), _mm512_sllv_epi16(pairs, shiftCounts(4, 2)), 0x30);
            out.values[2 * half + 1] = withBits(high, _mm512_srlv_epi16(pairs, shiftCounts(0, 2)), 0x30);
        }
    }
};

/// The bit pairs of 64 bytes.
inline void readBitPairs(const std::byte* quants, WideBlock& out) {
    const __m512i mask = _mm512_set1_epi8(3);
    LOADER_UNROLL
    for (std::size_t half = 0; half < 2; ++half) {
        const __m512i packed = twice(quants + half * 32);
        out.values[2 * half] = _mm512_and_si512(_mm512_srlv_epi16(packed, shiftCounts(0, 2)), mask);
        out.values[2 * half + 1] = _mm512_and_si512(_mm512_srlv_epi16(packed, shiftCounts(4, 6)), mask);
    }
}

template <>
struct WideReader<FormatQ2_K> {
    static constexpr bool kSigned = false;
    static void read(const std::byte* block, WideBlock& out) { readBitPairs(block + 16, out); }
};

template <>
struct WideReader<FormatTQ2_0> {
    static constexpr bool kSigned = false;
    static void read(const std::byte* block, WideBlock& out) { readBitPairs(block, out); }
};

template <>
struct WideReader<FormatQ3_K> {
    static constexpr bool kSigned = false;
    static void read(const std::byte* block, WideBlock& out) {
        readBitPairs(block + 32, out);
        const __m512i bits = twice(block);
        out.values[0] = withBits(out.values[0], bitsOf<2, 0>(bits), 4);
        out.values[1] = withBits(out.values[1], bitsOf<2, 2>(bits), 4);
        out.values[2] = withBits(out.values[2], bitsOf<2, 4>(bits), 4);
        out.values[3] = withBits(out.values[3], bitsOf<2, 6>(bits), 4);
    }
};

/// The heads of one block or of two that follow each other.
struct WideHeads {
    /// Of each block 16 numbers. The reader's places() says where the sub-scales of the packed sums of values
    /// 0 and 1 of a WideBlock stand; those of 2 and 3 are 4 further, those of the second block 16.
    __m512i scales;
    /// Of each block 16 numbers in the order of evenOddSums.
    __m512i corrections;
    /// Scale of a sub-scale, then of a correction, block by block.
    __m128 factors;
};

/// Every number four times.
inline __m512i wordPlaces(int a, int b, int c, int d, int e, int f, int g, int h) {
    constexpr long long kFour = 0x0001000100010001;
    return _mm512_setr_epi64(a * kFour, b * kFour, c * kFour, d * kFour, e * kFour, f * kFour, g * kFour,
                             h * kFour);
}

/// Heads that the format decodes one by one.
template <class Format, std::size_t atOnce>
struct JoinedHeads {
    static constexpr std::size_t kAtOnce = atOnce;
    static __m512i places() { return wordPlaces(0, 2, 8, 10, 1, 3, 9, 11); }
    template <std::size_t count>
    static WideHeads read(const std::byte* blocks) {
        const Head first = Format::head(blocks);
        if constexpr (count == 1) {
            return {_mm512_castsi256_si512(first.scales), _mm512_zextsi256_si512(first.corrections),
                    _mm_setr_ps(first.scale, first.correctionScale, 0.0f, 0.0f)};
        } else {
            const Head last = Format::head(blocks + Format::kBytes);
            return {_mm512_inserti64x4(_mm512_castsi256_si512(first.scales), last.scales, 1),
                    _mm512_inserti64x4(_mm512_castsi256_si512(first.corrections), last.corrections, 1),
                    _mm_setr_ps(first.scale, first.correctionScale, last.scale, last.correctionScale)};
        }
    }
};
template <class Format>
struct HeadReader : JoinedHeads<Format, 2> {};
/// Its head is the end of the block: what is read far ahead of its turn breaks the stream that the processor
/// follows (22 instead of 31 tokens/s with the heads of four blocks at once).
template <>
struct HeadReader<FormatQ6_K> : JoinedHeads<FormatQ6_K, 1> {};

/// Q4_K and Q5_K: the twelve bytes of scales and minima of two blocks at once.
template <class Format>
struct MinimaHeadReader {
    static constexpr std::size_t kAtOnce = 2;
    /// Of values in ChunkOrder.
    static __m512i places() { return wordPlaces(0, 1, 0, 1, 2, 3, 2, 3); }
    template <std::size_t count>
    static WideHeads read(const std::byte* blocks) {
        const std::byte* last = blocks + (count - 1) * Format::kBytes;
        const __m256i words =
            _mm256_inserti128_si256(_mm256_castsi128_si256(load128(blocks)), load128(last), 1);
        const __m256i lowMask =
            _mm256_broadcastsi128_si256(_mm_setr_epi32(0x3F3F3F3F, 0x0F0F0F0F, 0x3F3F3F3F, 0x0F0F0F0F));
        const __m256i highMask = _mm256_broadcastsi128_si256(_mm_setr_epi32(0, 0x30303030, 0, 0x30303030));
        const __m256i counts = _mm256_broadcastsi128_si256(_mm_setr_epi32(0, 0, 0, 4));
        // Words 1 and 2 hold the first four scales and minima, word 3 the low bits of the last four.
        const __m256i low = _mm256_srlv_epi32(_mm256_shuffle_epi32(words, 0xED), counts);
        const __m256i high = _mm256_srli_epi32(_mm256_shuffle_epi32(words, 0x84), 2);
        const __m256i bytes = _mm256_ternarylogic_epi32(_mm256_and_si256(low, lowMask), high, highMask, 0xF8);
        WideHeads heads;
        heads.scales = _mm512_cvtepu8_epi16(bytes);
        heads.corrections = _mm512_shuffle_i32x4(heads.scales, heads.scales, 0xF5);
        if constexpr (count == 1)
            heads.corrections = _mm512_zextsi256_si512(_mm512_castsi512_si256(heads.corrections));
        const __m128i halves = _mm_insert_epi32(_mm_cvtsi32_si128(loadWord(blocks)), loadWord(last), 1);
        heads.factors = _mm_cvtph_ps(halves);
        return heads;
    }
};
template <>
struct HeadReader<FormatQ4_K> : MinimaHeadReader<FormatQ4_K> {};
template <>
struct HeadReader<FormatQ5_K> : MinimaHeadReader<FormatQ5_K> {};

template <class Format, std::size_t tokens>
struct WideRow {
    static_assert(Format::kMaximum * 127 * 4 <= 32767, "four products fit 16 bits");
    static constexpr std::size_t kAtOnce = HeadReader<Format>::kAtOnce;
    static constexpr std::size_t kStep = 256 * kAtOnce;
    static constexpr bool kArranged = requires { typename RowOf256<Format>::Order; };
    TokenParts parts[tokens];
    __m512 sums[tokens];
    std::size_t count;

    inline void step(const std::byte* row, std::size_t i) { blocks<kAtOnce>(row, i / 256); }
    inline void rest(const std::byte* row, std::size_t i) {
        for (std::size_t b = i / 256; b < count; ++b)
            blocks<1>(row, b);
    }
    inline float total(std::size_t t) const { return sumLanes(sums[t]); }

    inline void open(const RowsJob& job, std::size_t firstToken) {
        count = job.weights.columns / 256;
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            if constexpr (kArranged) {
                parts[t] = arrangedParts<typename RowOf256<Format>::Order>(job, firstToken + t);
            } else {
                parts[t] = tokenParts(job.activation, firstToken + t);
            }
            sums[t] = _mm512_setzero_ps();
        }
    }

    /// Block `b` times every token: integers, without the scales of block and token.
    inline void dots(const WideBlock& block, __m512i first, __m512i last, std::size_t b,
                     __m512i (&integers)[tokens]) const {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            __m512i products[4];
            LOADER_UNROLL
            for (std::size_t i = 0; i < 4; ++i) {
                __m512i x = _mm512_loadu_si512(parts[t].values + b * 256 + i * 64);
                if constexpr (WideReader<Format>::kSigned)
                    x = _mm512_mask_sub_epi8(x, block.negative[i], _mm512_setzero_si512(), x);
                products[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), block.values[i], x);
            }
            const __m512i low = _mm512_packs_epi32(products[0], products[1]);
            const __m512i high = _mm512_packs_epi32(products[2], products[3]);
            integers[t] = _mm512_dpwssd_epi32(_mm512_madd_epi16(low, first), high, last);
        }
    }

    template <std::size_t count>
    inline void blocks(const std::byte* row, std::size_t b) {
        const std::byte* data = row + b * Format::kBytes;
        using Reader = HeadReader<Format>;
        const WideHeads heads = Reader::template read<count>(data);
        __m128 factors[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const auto* p = reinterpret_cast<const __m128i*>(parts[t].scales + b);
            const __m128i x = count == 1 ? _mm_loadu_si32(p) : _mm_loadl_epi64(p);
            factors[t] = _mm_mul_ps(heads.factors, _mm_castsi128_ps(_mm_unpacklo_epi32(x, x)));
        }
        LOADER_UNROLL
        for (std::size_t i = 0; i < count; ++i) {
            WideBlock block;
            WideReader<Format>::read(data + i * Format::kBytes, block);
            const __m512i places =
                _mm512_add_epi16(Reader::places(), _mm512_set1_epi16(static_cast<short>(i * 16)));
            const __m512i later = _mm512_add_epi16(places, _mm512_set1_epi16(4));
            __m512i integers[tokens];
            dots(block, _mm512_permutexvar_epi16(places, heads.scales),
                 _mm512_permutexvar_epi16(later, heads.scales), b + i, integers);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const __m512 factor = _mm512_permutexvar_ps(_mm512_set1_epi32(static_cast<int>(2 * i)),
                                                            _mm512_castps128_ps512(factors[t]));
                sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integers[t]), factor, sums[t]);
            }
        }
        if constexpr (!WideReader<Format>::kSigned) takeOff<count>(heads, factors, b);
    }

    /// Minima or offsets.
    template <std::size_t count>
    inline void takeOff(const WideHeads& heads, const __m128 (&factors)[tokens], std::size_t b) {
        const __m512i places = _mm512_inserti64x4(_mm512_set1_epi32(1), _mm256_set1_epi32(3), 1);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const std::int16_t* p = parts[t].evenOddSums + b * 16;
            const __m512i x = count == 1 ? _mm512_zextsi256_si512(load256(p)) : _mm512_loadu_si512(p);
            const __m512 off = _mm512_cvtepi32_ps(_mm512_madd_epi16(heads.corrections, x));
            const __m512 factor = _mm512_permutexvar_ps(places, _mm512_castps128_ps512(factors[t]));
            sums[t] = _mm512_fnmadd_ps(off, factor, sums[t]);
        }
    }
};

template <class Format>
struct RowOfBlocks {
    template <std::size_t tokens>
    using State = WideRow<Format, tokens>;
};
/// Of values that stand in ChunkOrder.
template <class Format>
struct RowOfChunks : RowOfBlocks<Format> {
    using Order = ChunkOrder;
};
