// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Helpers in 256-bit registers that the AVX2 and AVX-512 tiers share: transposition, half scales, prefetch.

inline __m256i load256(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
inline __m128i load128(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
inline std::int32_t loadWord(const void* p) {
    std::int32_t word;
    std::memcpy(&word, p, sizeof(word));
    return word;
}
inline float halfScale(const void* p) {
    std::uint16_t bits;
    std::memcpy(&bits, p, sizeof(bits));
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

/// Eight registers of eight 32-bit elements, rows to columns, in place.
inline void transposeWords(__m256i (&r)[8]) {
    __m256i pairs[8];
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    __m256i fours[8];
    for (int i = 0; i < 8; i += 4) {
        fours[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
        r[i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
        r[i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
    }
}

inline void transpose8x8(const float* const rows[8], std::size_t offset, float* out, std::size_t step) {
    __m256i r[8];
    for (int i = 0; i < 8; ++i)
        r[i] = load256(rows[i] + offset);
    transposeWords(r);
    for (std::size_t i = 0; i < 8; ++i)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i * step), r[i]);
}
