// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of 32-blocks times few tokens of 16 bits (ActivationKind::Q8Pair32), in the AVX2 and the AVX-512 tier:
// the products with the high terms, shifted by 8 bits, and those with the low terms make one integer sum per
// block.

/// A format without minima as its two-term kernels want it: signed.
template <class Format>
struct TwoTerms : Format {
    static_assert(!Format::kMinimum);
    static constexpr int kOffset = 0;
    static constexpr bool kSigned = true, kTwoTerms = true;
    static __m256i values(const std::byte* block) {
        const __m256i values = Format::values(block);
        if constexpr (Format::kSigned) return values;
        return _mm256_sub_epi8(values, _mm256_set1_epi8(static_cast<char>(Format::kOffset)));
    }
};

template <class Format, std::size_t tokens>
struct RowTerms {
    static constexpr std::size_t kStep = 64;
    TokenParts parts[tokens];
    __m256 sums[tokens];

    inline void open(const RowsJob& job, std::size_t firstToken) {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            parts[t] = tokenParts(job.activation, firstToken + t);
            sums[t] = _mm256_setzero_ps();
        }
    }

    inline void block(const std::byte* row, std::size_t index) {
        const std::byte* data = row + index * Format::kBytes;
        const __m256i values = Format::values(data);
        const __m256i sizes = _mm256_abs_epi8(values);
        const float scale = Format::scale(data);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const std::int8_t* x = parts[t].values + index * 64;
            // Sizes up to 128 times 127, twice: 32,512 fits. 32 × 128 × 127 × 257 is below 2^28.
            const __m256i high = addDot(_mm256_setzero_si256(), sizes, _mm256_sign_epi8(load256(x), values));
            const __m256i both =
                addDot(_mm256_slli_epi32(high, 8), sizes, _mm256_sign_epi8(load256(x + 32), values));
            const __m256 factor = _mm256_set1_ps(scale * parts[t].scales[index]);
            sums[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(both), factor, sums[t]);
        }
    }

    inline void step(const std::byte* row, std::size_t i) {
        block(row, i / 32);
        block(row, i / 32 + 1);
    }
    inline void rest(const std::byte* row, std::size_t i) { block(row, i / 32); }
    inline float total(std::size_t t) const { return sumEight(sums[t]); }
};

template <class Format>
struct RowOfTerms {
    template <std::size_t tokens>
    using State = RowTerms<Format, tokens>;
};
