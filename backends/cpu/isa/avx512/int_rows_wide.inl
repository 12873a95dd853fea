// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows times few tokens in 512-bit registers: eight blocks of 32 values in one step, from
// activations in an order of their own. Replaces the 256-bit rows
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

/// Entries of the table plus `offset`.
template <int offset>
inline Quad lookupQuad(const std::int8_t (&table)[16], Quad indices) {
    const __m512i shifted =
        _mm512_add_epi8(_mm512_broadcast_i32x4(load128(table)), _mm512_set1_epi8(static_cast<char>(offset)));
    return {_mm512_shuffle_epi8(shifted, indices.low), _mm512_shuffle_epi8(shifted, indices.high)};
}

struct QuadQ4_1 {
    using Single = FormatQ4_1;
    static constexpr int kOffset = 0;
    static Quad values(const std::byte* p) { return nibbleQuad<20>(p + 4); }
};
struct QuadQ5_0 {
    using Single = FormatQ5_0;
    static constexpr int kOffset = 16;
    static Quad values(const std::byte* p) { return withFifthBits<22>(nibbleQuad<22>(p + 6), p + 2); }
};
struct QuadQ5_1 {
    using Single = FormatQ5_1;
    static constexpr int kOffset = 0;
    static Quad values(const std::byte* p) { return withFifthBits<24>(nibbleQuad<24>(p + 8), p + 4); }
};
struct QuadMXFP4 {
    using Single = FormatMXFP4;
    static constexpr int kOffset = 16;
    static Quad values(const std::byte* p) {
        return lookupQuad<kOffset>(quant::kDoubledE2m1, nibbleQuad<17>(p + 1));
    }
};
/// Activations in the order of two Quads: of each 128 values the first halves of four blocks, then their last
/// halves. What does not fill eight blocks stays as it is.
struct QuadOrder {
    static std::size_t bytes(std::size_t columns) { return columns; }
    static void arrange(const std::int8_t* in, std::size_t columns, std::int8_t* out) {
        std::size_t i = 0;
        for (; i < columns / 256 * 256; i += 128) {
            const __m512i first = _mm512_loadu_si512(in + i);
            const __m512i last = _mm512_loadu_si512(in + i + 64);
            _mm512_storeu_si512(out + i, _mm512_shuffle_i64x2(first, last, 0x88));
            _mm512_storeu_si512(out + i + 64, _mm512_shuffle_i64x2(first, last, 0xDD));
        }
        std::memcpy(out + i, in + i, columns - i);
    }
};

inline __m512i dotQuad(const Quad& quad, const std::int8_t* x) {
    const __m512i low = _mm512_dpbusd_epi32(_mm512_setzero_si512(), quad.low, _mm512_loadu_si512(x));
    return _mm512_dpbusd_epi32(low, quad.high, _mm512_loadu_si512(x + 64));
}

/// Each of four numbers, `first` the number of the first, four times.
inline __m512i spreadPlaces(int first) {
    return _mm512_add_epi32(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),
                            _mm512_set1_epi32(first));
}

template <class Reader, std::size_t tokens>
struct QuadRow {
    using Single = typename Reader::Single;
    static constexpr std::size_t kStep = 256;
    Row32<Single, tokens, 1> state;
    __m512 sums[tokens];
    __m256 minima[tokens];

    inline void open(const RowsJob& job, std::size_t firstToken) {
        state.open(job.weights.columns);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            state.parts[t] = arrangedParts<QuadOrder>(job, firstToken + t);
            sums[t] = _mm512_setzero_ps();
            minima[t] = _mm256_setzero_ps();
        }
    }

    inline void step(const std::byte* row, std::size_t i) {
        const std::size_t b = i / 32;
        const std::byte* data = row + b * Single::kBytes;
        const Quad quads[2] = {Reader::values(data), Reader::values(data + 4 * Single::kBytes)};
        const __m256 scales = OctScales<Single>::read(data);
        __m256 offsets;
        if constexpr (Single::kMinimum) {
            offsets = halfOct<Single::kBytes>(data + 2);
        } else {
            offsets = _mm256_mul_ps(scales, _mm256_set1_ps(static_cast<float>(-Reader::kOffset)));
        }
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const TokenParts& parts = state.parts[t];
            const __m256 factors = _mm256_mul_ps(scales, _mm256_loadu_ps(parts.scales + b));
            LOADER_UNROLL
            for (std::size_t half = 0; half < 2; ++half) {
                const __m512i integer = dotQuad(quads[half], parts.values + i + half * 128);
                const __m512 lanes = _mm512_permutexvar_ps(spreadPlaces(static_cast<int>(4 * half)),
                                                           _mm512_castps256_ps512(factors));
                sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integer), lanes, sums[t]);
            }
            minima[t] = _mm256_fmadd_ps(offsets, _mm256_loadu_ps(parts.sums + b), minima[t]);
        }
    }

    inline void rest(const std::byte* row, std::size_t i) { state.rest(row, i); }
    inline float total(std::size_t t) const {
        const __m256 narrow = _mm256_add_ps(state.total(t), minima[t]);
        return sumLanes(_mm512_add_ps(sums[t], _mm512_zextps256_ps512(narrow))) + state.minima[t];
    }
};

/// IQ4_XS: two groups of four sub-blocks, whose scales become floats at once.
template <std::size_t tokens>
struct QuadRowIq4Xs {
    using Format = FormatIQ4_XS;
    static constexpr std::size_t kStep = 256;
    static constexpr int kOffset = 128;
    TokenParts parts[tokens];
    __m512 sums[tokens];
    __m256 offsets[tokens];

    inline void open(const RowsJob& job, std::size_t firstToken) {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            parts[t] = arrangedParts<QuadOrder>(job, firstToken + t);
            sums[t] = _mm512_setzero_ps();
            offsets[t] = _mm256_setzero_ps();
        }
    }

    inline void step(const std::byte* row, std::size_t column) {
        const std::size_t b = column / 256;
        const std::byte* data = row + b * Format::kBytes;
        const Head head = Format::head(data);
        const __m256i words = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(head.scales));
        const __m256 scales = _mm256_mul_ps(_mm256_cvtepi32_ps(words), _mm256_set1_ps(head.scale));
        const __m512 wide = _mm512_castps256_ps512(scales);
        const __m512 lanes[2] = {_mm512_permutexvar_ps(spreadPlaces(0), wide),
                                 _mm512_permutexvar_ps(spreadPlaces(4), wide)};
        const __m512i mask = _mm512_set1_epi8(0x0F);
        Quad quads[2];
        LOADER_UNROLL
        for (std::size_t i = 0; i < 2; ++i) {
            const __m512i packed = _mm512_loadu_si512(data + 8 + i * 64);
            quads[i] = lookupQuad<kOffset>(
                quant::kIq4Values,
                {_mm512_and_si512(packed, mask), _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask)});
        }
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const std::int8_t* x = parts[t].values + column;
            const float factor = parts[t].scales[b];
            __m512 products = _mm512_mul_ps(_mm512_cvtepi32_ps(dotQuad(quads[0], x)), lanes[0]);
            products = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dotQuad(quads[1], x + 128)), lanes[1], products);
            sums[t] = _mm512_fmadd_ps(products, _mm512_set1_ps(factor), sums[t]);
            const __m256 off = _mm256_cvtepi32_ps(load256(parts[t].offsets32 + b * 8));
            offsets[t] = _mm256_fmadd_ps(_mm256_mul_ps(off, scales), _mm256_set1_ps(factor), offsets[t]);
        }
    }

    inline void rest(const std::byte*, std::size_t) {}
    inline float total(std::size_t t) const {
        return sumLanes(_mm512_add_ps(sums[t], _mm512_zextps256_ps512(offsets[t])));
    }
};

template <class Reader>
struct RowOfQuads {
    using Order = QuadOrder;
    template <std::size_t tokens>
    using State = QuadRow<Reader, tokens>;
};
template <>
struct RowOf32<FormatQ4_1> : RowOfQuads<QuadQ4_1> {};
template <>
struct RowOf32<FormatQ5_0> : RowOfQuads<QuadQ5_0> {};
template <>
struct RowOf32<FormatQ5_1> : RowOfQuads<QuadQ5_1> {};
template <>
struct RowOf32<FormatMXFP4> : RowOfQuads<QuadMXFP4> {};
template <>
struct RowOf256<FormatIQ4_XS> {
    using Order = QuadOrder;
    template <std::size_t tokens>
    using State = QuadRowIq4Xs<tokens>;
};
