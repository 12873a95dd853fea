// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Integer dot products of the AVX2 tier.

/// sum += groups of four products u × s. @shape u: unsigned 0 … 128, so that two products fit 16 bits; s:
/// -127 … 127
inline __m256i addDot(__m256i sum, __m256i u, __m256i s) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1)));
}
/// sum += pairs of products of 16-bit integers
inline __m256i addPairs(__m256i sum, __m256i a, __m256i b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
