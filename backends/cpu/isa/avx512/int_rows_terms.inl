// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of Q8_0 times few tokens of two terms (ActivationKind::Q8Pair32), two blocks in a register and eight
// in a step. Replaces the 256-bit rows of isa/avx2/int_rows_terms.inl.

/// Of each two blocks the high terms, then the low. What does not fill eight blocks stays as it is.
struct TermsOrder {
    static std::size_t bytes(std::size_t columns) { return 2 * columns; }
    static void arrange(const std::int8_t* in, std::size_t columns, std::int8_t* out) {
        const std::size_t end = columns / 256 * 512;
        evenGroupsFirst(in, end, out);
        std::memcpy(out + end, in + end, 2 * columns - end);
    }
};

template <std::size_t tokens>
struct OctTerms {
    using Format = FormatQ8_0;
    static constexpr std::size_t kStep = 256;
    RowTerms<Format, tokens> state;
    __m512 sums[tokens];
    __m256 offsets[tokens];
    std::size_t blocks;

    inline void open(const RowsJob& job, std::size_t firstToken) {
        state.open(job, firstToken);
        blocks = job.weights.columns / 32;
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            state.parts[t] = arrangedParts<TermsOrder>(job, firstToken + t);
            sums[t] = _mm512_setzero_ps();
            offsets[t] = _mm256_setzero_ps();
        }
    }

    inline void step(const std::byte* row, std::size_t i) {
        const std::size_t b = i / 32;
        const std::byte* data = row + b * Format::kBytes;
        const __m256 scales = halfOct<Format::kBytes>(data);
        __m256 factors[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            factors[t] = _mm256_mul_ps(scales, _mm256_loadu_ps(state.parts[t].scales + b));
            const __m256 off = _mm256_cvtepi32_ps(load256(state.parts[t].offsets32 + b));
            offsets[t] = _mm256_fmadd_ps(off, factors[t], offsets[t]);
        }
        LOADER_UNROLL
        for (std::size_t pair = 0; pair < 4; ++pair) {
            const std::byte* p = data + pair * 2 * Format::kBytes + 2;
            const __m512i values =
                _mm512_inserti64x4(_mm512_castsi256_si512(load256(p)), load256(p + Format::kBytes), 1);
            // 128 more than they are, so that they have no sign; the offsets take it off.
            const __m512i shifted = _mm512_xor_si512(values, _mm512_set1_epi8(-128));
            const auto even = static_cast<int>(pair * 2);
            const __m512i places =
                _mm512_inserti64x4(_mm512_set1_epi32(even), _mm256_set1_epi32(even + 1), 1);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const std::int8_t* x = state.parts[t].values + 2 * i + pair * 128;
                // 4 × 255 × 127 × 257 is below 2^26.
                const __m512i high =
                    _mm512_dpbusd_epi32(_mm512_setzero_si512(), shifted, _mm512_loadu_si512(x));
                const __m512i both =
                    _mm512_dpbusd_epi32(_mm512_slli_epi32(high, 8), shifted, _mm512_loadu_si512(x + 64));
                const __m512 lanes = _mm512_permutexvar_ps(places, _mm512_castps256_ps512(factors[t]));
                sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(both), lanes, sums[t]);
            }
        }
    }

    inline void rest(const std::byte* row, std::size_t i) {
        for (std::size_t b = i / 32; b < blocks; ++b)
            state.block(row, b);
    }
    inline float total(std::size_t t) const {
        const __m256 narrow = _mm256_add_ps(state.sums[t], offsets[t]);
        return sumLanes(_mm512_add_ps(sums[t], _mm512_zextps256_ps512(narrow)));
    }
};

template <>
struct RowOfTerms<FormatQ8_0> {
    using Order = TermsOrder;
    template <std::size_t tokens>
    using State = OctTerms<tokens>;
};
