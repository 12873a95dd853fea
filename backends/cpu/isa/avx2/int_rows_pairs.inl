// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of Q4_0, Q4_1, Q5_0 and Q5_1 times few tokens in 256-bit registers, two blocks in one step: low halves
// of both blocks, then high halves, whose products fit 16 bits together. Only the AVX2 tier; the AVX-512 tier
// has isa/avx512/int_rows_wide.inl.

/// Of each 64 values the first halves of two blocks, then their last halves. What does not fill eight blocks
/// stays as it is.
struct PairOrder {
    static std::size_t bytes(std::size_t columns) { return columns; }
    static void arrange(const std::int8_t* in, std::size_t columns, std::int8_t* out) {
        std::size_t i = 0;
        for (; i < columns / 256 * 256; i += 64) {
            const __m256i first = load256(in + i), last = load256(in + i + 32);
            auto* to = reinterpret_cast<__m256i*>(out + i);
            _mm256_storeu_si256(to, _mm256_permute2x128_si256(first, last, 0x20));
            _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(first, last, 0x31));
        }
        std::memcpy(out + i, in + i, columns - i);
    }
};

template <class Format, std::size_t tokens>
struct NibblePairs {
    static constexpr std::size_t kStep = 256;
    static constexpr std::size_t kHead = Format::kBytes - 16;
    Row32<Format, tokens, 2> state;
    __m256 minima[tokens];

    inline void open(const RowsJob& job, std::size_t firstToken) {
        state.open(job.weights.columns);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            state.parts[t] = arrangedParts<PairOrder>(job, firstToken + t);
            minima[t] = _mm256_setzero_ps();
        }
    }

    inline void rest(const std::byte* row, std::size_t i) { state.rest(row, i); }
    inline float total(std::size_t t) const {
        return sumEight(_mm256_add_ps(state.total(t), minima[t])) + state.minima[t];
    }

    inline void step(const std::byte* row, std::size_t i) {
        const std::size_t b = i / 32;
        const std::byte* data = row + b * Format::kBytes;
        const __m256 scales = OctScales<Format>::read(data);
        __m256 off;
        if constexpr (Format::kMinimum) {
            off = halfOct<Format::kBytes>(data + 2);
        } else {
            off = _mm256_mul_ps(scales, _mm256_set1_ps(static_cast<float>(-Format::kOffset)));
        }
        __m256 factors[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            factors[t] = _mm256_mul_ps(scales, _mm256_loadu_ps(state.parts[t].scales + b));
            minima[t] = _mm256_fmadd_ps(off, _mm256_loadu_ps(state.parts[t].sums + b), minima[t]);
        }
        LOADER_UNROLL
        for (std::size_t pair = 0; pair < 4; ++pair) {
            const std::byte* p = data + pair * 2 * Format::kBytes + kHead;
            const __m256i packed =
                _mm256_inserti128_si256(_mm256_castsi128_si256(load128(p)), load128(p + Format::kBytes), 1);
            const __m256i mask = _mm256_set1_epi8(0x0F);
            __m256i low = _mm256_and_si256(packed, mask);
            __m256i high = _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask);
            if constexpr (Format::kMaximum == 31) {
                const __m256i first = fifthBits(p - 4), second = fifthBits(p + Format::kBytes - 4);
                low = _mm256_or_si256(low, _mm256_permute2x128_si256(first, second, 0x20));
                high = _mm256_or_si256(high, _mm256_permute2x128_si256(first, second, 0x31));
            }
            const auto even = static_cast<int>(pair * 2);
            const __m256i lanes =
                _mm256_inserti128_si256(_mm256_set1_epi32(even), _mm_set1_epi32(even + 1), 1);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const std::int8_t* x = state.parts[t].values + b * 32 + pair * 64;
                const __m256i products = _mm256_add_epi16(_mm256_maddubs_epi16(low, load256(x)),
                                                          _mm256_maddubs_epi16(high, load256(x + 32)));
                const __m256i integer = _mm256_madd_epi16(products, _mm256_set1_epi16(1));
                __m256& sum = state.sums[t][pair % 2];
                sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integer),
                                      _mm256_permutevar8x32_ps(factors[t], lanes), sum);
            }
        }
    }
};

template <class Format>
struct RowOfNibbles {
    using Order = PairOrder;
    template <std::size_t tokens>
    using State = NibblePairs<Format, tokens>;
};

template <>
struct RowOf32<FormatQ4_0> : RowOfNibbles<FormatQ4_0> {};
template <>
struct RowOf32<FormatQ4_1> : RowOfNibbles<FormatQ4_1> {};
template <>
struct RowOf32<FormatQ5_0> : RowOfNibbles<FormatQ5_0> {};
template <>
struct RowOf32<FormatQ5_1> : RowOfNibbles<FormatQ5_1> {};
