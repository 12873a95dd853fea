// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Integer dot products of the AVX-512 tier, 256 bits wide. See isa/avx2/int_dot.inl.

inline __m256i addDot(__m256i sum, __m256i u, __m256i s) {
    return _mm256_dpbusd_epi32(sum, u, s);
}
inline __m256i addPairs(__m256i sum, __m256i a, __m256i b) {
    return _mm256_dpwssd_epi32(sum, a, b);
}
