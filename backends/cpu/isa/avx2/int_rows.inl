// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows times few tokens for quantised types, straight from the file's layout: each block is unpacked once and
// multiplied with up to four tokens. Included by the AVX2 and the AVX-512 tier after their int_dot.inl.

constexpr int shiftOf(int powerOfTwo) {
    int shift = 0;
    while ((1 << shift) < powerOfTwo)
        ++shift;
    return shift;
}

/// The parts of one token's record.
struct TokenParts {
    const std::int8_t* values;
    const float* scales;
    const float* sums;
    const std::int32_t* offsets32;
    const std::int32_t* offsets16;
    const std::int16_t* evenOddSums;
};

inline TokenParts tokenParts(const ActivationView& activation, std::size_t token) {
    const std::byte* record = activation.token(token);
    const ActivationLayout& layout = activation.layout;
    return {reinterpret_cast<const std::int8_t*>(record),
            reinterpret_cast<const float*>(record + layout.scales),
            reinterpret_cast<const float*>(record + layout.sums),
            reinterpret_cast<const std::int32_t*>(record + layout.offsets32),
            reinterpret_cast<const std::int32_t*>(record + layout.offsets16),
            reinterpret_cast<const std::int16_t*>(record + layout.evenOddSums)};
}

template <class Format, std::size_t tokens, std::size_t kSums>
struct Row32 {
    TokenParts parts[tokens];
    __m256 sums[tokens][kSums];
    float minima[tokens];

    inline void block(const std::byte* data, std::size_t index, std::size_t slot) {
        const __m256i values = Format::values(data);
        const __m256i magnitudes = Format::kSigned ? _mm256_abs_epi8(values) : values;
        const float scale = Format::scale(data);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const __m256i x = load256(parts[t].values + index * 32);
            __m256i integer = _mm256_setzero_si256();
            if constexpr (Format::kOffset != 0) {
                const std::int32_t offset = parts[t].offsets32[index] >> shiftOf(128 / Format::kOffset);
                integer = _mm256_zextsi128_si256(_mm_cvtsi32_si128(offset));
            }
            integer = addDot(integer, magnitudes, Format::kSigned ? _mm256_sign_epi8(x, values) : x);
            const __m256 factor = _mm256_set1_ps(scale * parts[t].scales[index]);
            sums[t][slot] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integer), factor, sums[t][slot]);
            if constexpr (Format::kMinimum) minima[t] += Format::minimum(data) * parts[t].sums[index];
        }
    }
};

template <class Format, std::size_t tokens>
inline void multiplyRow32(const RowsJob& job, const std::byte* row, std::size_t rowIndex,
                          std::size_t firstToken) {
    constexpr std::size_t kSums = tokens == 1 ? 4 : tokens == 2 ? 2 : 1;
    Row32<Format, tokens, kSums> state;
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        state.parts[t] = tokenParts(job.activation, firstToken + t);
        state.minima[t] = 0.0f;
        LOADER_UNROLL
        for (std::size_t u = 0; u < kSums; ++u)
            state.sums[t][u] = _mm256_setzero_ps();
    }
    const std::size_t blocks = job.weights.columns / 32;
    std::size_t b = 0;
    for (; b + 4 <= blocks; b += 4) {
        const std::byte* data = row + b * Format::kBytes;
        prefetchAhead<4 * Format::kBytes>(data);
        LOADER_UNROLL
        for (std::size_t u = 0; u < 4; ++u)
            state.block(data + u * Format::kBytes, b + u, u % kSums);
    }
    for (; b < blocks; ++b)
        state.block(row + b * Format::kBytes, b, 0);
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        __m256 total = state.sums[t][0];
        LOADER_UNROLL
        for (std::size_t u = 1; u < kSums; ++u)
            total = _mm256_add_ps(total, state.sums[t][u]);
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(total), _mm256_extractf128_ps(total, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        const float value = _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
        emit(job, rowIndex, firstToken + t, value + state.minima[t]);
    }
}

template <class Format, std::size_t tokens>
inline void multiplyRow256(const RowsJob& job, const std::byte* row, std::size_t rowIndex,
                           std::size_t firstToken) {
    TokenParts parts[tokens];
    __m256 sums[tokens];
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        parts[t] = tokenParts(job.activation, firstToken + t);
        sums[t] = _mm256_setzero_ps();
    }
    const std::size_t blocks = job.weights.columns / 256;
    for (std::size_t b = 0; b < blocks; ++b) {
        const std::byte* data = row + b * Format::kBytes;
        prefetchAhead<Format::kBytes>(data);
        const Head head = Format::head(data);
        __m256i integers[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            integers[t] = _mm256_setzero_si256();
        LOADER_UNROLL
        for (int group = 0; group < 8; ++group) {
            const __m256i values = Format::values(data, group);
            const __m256i magnitudes = Format::kSigned ? _mm256_abs_epi8(values) : values;
            const auto pattern = static_cast<short>((2 * group + 1) * 256 + 2 * group);
            const __m256i scales = _mm256_shuffle_epi8(head.scales, _mm256_set1_epi16(pattern));
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const __m256i x = load256(parts[t].values + b * 256 + static_cast<std::size_t>(group) * 32);
                const __m256i pairs =
                    _mm256_maddubs_epi16(magnitudes, Format::kSigned ? _mm256_sign_epi8(x, values) : x);
                integers[t] = addPairs(integers[t], pairs, scales);
            }
        }
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const float x = parts[t].scales[b];
            sums[t] =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers[t]), _mm256_set1_ps(head.scale * x), sums[t]);
            if constexpr (!Format::kSigned) {
                const __m256i off =
                    _mm256_madd_epi16(head.corrections, load256(parts[t].evenOddSums + b * 16));
                sums[t] = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(off), _mm256_set1_ps(head.correctionScale * x),
                                           sums[t]);
            }
        }
    }
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(sums[t]), _mm256_extractf128_ps(sums[t], 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        emit(job, rowIndex, firstToken + t, _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1))));
    }
}

template <class Format, std::size_t tokens>
struct RowOf32 {
    static constexpr auto kMultiply = multiplyRow32<Format, tokens>;
};
/// The tier may have a better kernel for a type: it specialises this.
template <class Format, std::size_t tokens>
struct RowOf256 {
    static constexpr auto kMultiply = multiplyRow256<Format, tokens>;
};

template <class Format, template <class, std::size_t> class Row>
void intRows(const RowsJob& job) {
    for (std::size_t r = job.rowBegin; r < job.rowEnd; ++r) {
        const std::byte* row = job.weights.data + r * job.weights.rowBytes;
        std::size_t t = 0;
        for (; t + 4 <= job.tokens; t += 4)
            Row<Format, 4>::kMultiply(job, row, r, t);
        switch (job.tokens - t) {
            case 3: Row<Format, 3>::kMultiply(job, row, r, t); break;
            case 2: Row<Format, 2>::kMultiply(job, row, r, t); break;
            case 1: Row<Format, 1>::kMultiply(job, row, r, t); break;
            default: break;
        }
    }
}
