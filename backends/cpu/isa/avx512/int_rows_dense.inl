// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of blocks of 18 bytes (a half precision scale, then 16 bytes of two quants each) times few tokens,
// without taking the blocks apart: registers are filled as the file lies. Four bytes that make one product
// always belong to one block, because each begins at an even byte; the activations are zero where a scale
// lies. Replaces int_rows_wide.inl for Q4_0 and IQ4_NL.

/// 16 blocks, 288 bytes: four registers and a half.
constexpr std::size_t kDenseValues = 512, kDenseBytes = 288;

/// Per register of a unit 64 activations of the low quants of its bytes, then 64 of the high ones. What does
/// not fill a unit stays as it is, behind them.
struct DenseOrder {
    static std::size_t bytes(std::size_t columns) {
        return columns / kDenseValues * 2 * kDenseBytes + columns % kDenseValues;
    }
    static void arrange(const std::int8_t* in, std::size_t columns, std::int8_t* out) {
        const std::size_t units = columns / kDenseValues;
        std::memset(out, 0, units * 2 * kDenseBytes);
        for (std::size_t unit = 0; unit < units; ++unit, out += 2 * kDenseBytes) {
            for (std::size_t block = 0; block < 16; ++block, in += 32) {
                // Two at a time: scales and pairs of quants lie at even bytes.
                for (std::size_t k = 0; k < 16; k += 2) {
                    const std::size_t at = block * 18 + 2 + k;
                    const std::size_t low = at / 64 * 128 + at % 64;
                    std::memcpy(out + low, in + k, 2);
                    std::memcpy(out + low + (at < 256 ? 64 : 32), in + 16 + k, 2);
                }
            }
        }
        std::memcpy(out, in, columns % kDenseValues);
    }
};

/// For each group of four bytes of register `index` of a unit: its block. A pair of blocks has five groups of
/// the first, then four of the second.
template <std::size_t index>
inline __m512i denseBlocks() {
    alignas(64) static constexpr auto kBlocks = [] {
        std::array<std::int32_t, 16> blocks{};
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            const std::size_t group = index * 16 + i;
            const std::size_t block = group / 9 * 2 + (group % 9 > 4 ? 1 : 0);
            blocks[i] = static_cast<std::int32_t>(block < 16 ? block : 15);
        }
        return blocks;
    }();
    return _mm512_load_si512(kBlocks.data());
}

/// The scales of 16 blocks.
inline __m512 denseScales(const std::byte* data) {
    // Of 16-bit words, nine from one to the next.
    const __m512i places = _mm512_castsi128_si512(_mm_setr_epi16(0, 9, 18, 27, 36, 45, 54, 63));
    const auto eight = [&](const std::byte* p) {
        return _mm512_castsi512_si128(
            _mm512_permutex2var_epi16(_mm512_loadu_si512(p), places, _mm512_loadu_si512(p + 64)));
    };
    return _mm512_cvtph_ps(
        _mm256_inserti128_si256(_mm256_castsi128_si256(eight(data)), eight(data + 144), 1));
}

struct DenseQ4_0 {
    using Single = FormatQ4_0;
    static constexpr int kOffset = 8;
    static Quad values(Quad nibbles) { return nibbles; }
};
struct DenseIQ4_NL {
    using Single = FormatIQ4_NL;
    static constexpr int kOffset = 128;
    static Quad values(Quad nibbles) { return lookupQuad<kOffset>(quant::kIq4Values, nibbles); }
};

template <class Reader, std::size_t tokens>
struct DenseRow {
    using Single = typename Reader::Single;
    static_assert(Single::kBytes == 18);
    static constexpr std::size_t kStep = kDenseValues;
    Row32<Single, tokens, 1> state;
    const std::int8_t* dense[tokens];
    __m512 sums[tokens];
    __m512 offsets[tokens];

    inline void open(const RowsJob& job, std::size_t firstToken) {
        state.open(job.weights.columns);
        const std::size_t whole = job.weights.columns / kDenseValues;
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            state.parts[t] = arrangedParts<DenseOrder>(job, firstToken + t);
            dense[t] = state.parts[t].values;
            state.parts[t].values += whole * (2 * kDenseBytes - kDenseValues);
            sums[t] = offsets[t] = _mm512_setzero_ps();
        }
    }

    /// One register of a unit, or half of one, times every token.
    template <std::size_t index>
    inline void part(const std::byte* data, std::size_t unit, const __m512 (&factors)[tokens]) {
        constexpr bool kHalf = index == 4;
        const std::byte* p = data + index * 64;
        const __m512i packed = kHalf ? _mm512_zextsi256_si512(load256(p)) : _mm512_loadu_si512(p);
        const __m512i mask = _mm512_set1_epi8(0x0F);
        const Quad quants = Reader::values(
            {_mm512_and_si512(packed, mask), _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask)});
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const std::int8_t* x = dense[t] + unit * 2 * kDenseBytes + index * 128;
            const __m512i first = kHalf ? _mm512_zextsi256_si512(load256(x)) : _mm512_loadu_si512(x);
            const __m512i last = kHalf ? _mm512_zextsi256_si512(load256(x + 32)) : _mm512_loadu_si512(x + 64);
            __m512i integer = _mm512_dpbusd_epi32(_mm512_setzero_si512(), quants.low, first);
            integer = _mm512_dpbusd_epi32(integer, quants.high, last);
            const __m512 lanes = _mm512_permutexvar_ps(denseBlocks<index>(), factors[t]);
            sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integer), lanes, sums[t]);
        }
    }

    inline void step(const std::byte* row, std::size_t i) {
        const std::size_t b = i / 32;
        const std::size_t unit = i / kDenseValues;
        const std::byte* data = row + b * Single::kBytes;
        const __m512 scales = denseScales(data);
        const __m512 off = _mm512_mul_ps(scales, _mm512_set1_ps(static_cast<float>(-Reader::kOffset)));
        __m512 factors[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            factors[t] = _mm512_mul_ps(scales, _mm512_loadu_ps(state.parts[t].scales + b));
            offsets[t] = _mm512_fmadd_ps(off, _mm512_loadu_ps(state.parts[t].sums + b), offsets[t]);
        }
        part<0>(data, unit, factors);
        part<1>(data, unit, factors);
        part<2>(data, unit, factors);
        part<3>(data, unit, factors);
        part<4>(data, unit, factors);
    }

    inline void rest(const std::byte* row, std::size_t i) { state.rest(row, i); }
    inline float total(std::size_t t) const {
        const __m512 wide = _mm512_add_ps(sums[t], offsets[t]);
        return sumLanes(_mm512_add_ps(wide, _mm512_zextps256_ps512(state.total(t)))) + state.minima[t];
    }
};

template <class Reader>
struct RowOfDense {
    using Order = DenseOrder;
    template <std::size_t tokens>
    using State = DenseRow<Reader, tokens>;
};
template <>
struct RowOf32<FormatQ4_0> : RowOfDense<DenseQ4_0> {};
template <>
struct RowOf32<FormatIQ4_NL> : RowOfDense<DenseIQ4_NL> {};
