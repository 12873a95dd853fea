// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Vector vocabulary of the AVX2 tier: eight float lanes. See isa/baseline/vec.inl for what each name means.

inline constexpr std::size_t kLanes = 8;
inline constexpr std::size_t kDirectSums = 8;

struct Floats {
    __m256 v;
};

/// All bits of the first `count` lanes.
inline __m256i laneMask(std::size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Floats broadcast(float x) {
    return {_mm256_set1_ps(x)};
}
inline Floats zero() {
    return {_mm256_setzero_ps()};
}
inline Floats load(const void* p) {
    return {_mm256_loadu_ps(static_cast<const float*>(p))};
}
inline Floats loadPart(const void* p, std::size_t count) {
    return {_mm256_maskload_ps(static_cast<const float*>(p), laneMask(count))};
}
inline void store(float* p, Floats x) {
    _mm256_storeu_ps(p, x.v);
}
inline void storePart(float* p, Floats x, std::size_t count) {
    _mm256_maskstore_ps(p, laneMask(count), x.v);
}
inline Floats add(Floats a, Floats b) {
    return {_mm256_add_ps(a.v, b.v)};
}
inline Floats subtract(Floats a, Floats b) {
    return {_mm256_sub_ps(a.v, b.v)};
}
inline Floats multiply(Floats a, Floats b) {
    return {_mm256_mul_ps(a.v, b.v)};
}
inline Floats divide(Floats a, Floats b) {
    return {_mm256_div_ps(a.v, b.v)};
}
inline Floats multiplyAdd(Floats a, Floats b, Floats c) {
    return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
inline Floats maximum(Floats a, Floats b) {
    return {_mm256_max_ps(a.v, b.v)};
}
inline Floats minimum(Floats a, Floats b) {
    return {_mm256_min_ps(a.v, b.v)};
}
inline Floats selectLess(Floats a, Floats b, Floats then, Floats otherwise) {
    return {_mm256_blendv_ps(otherwise.v, then.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
}
inline Floats absolute(Floats x) {
    return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), x.v)};
}
inline Floats roundNearest(Floats x) {
    return {_mm256_round_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Floats powerOfTwo(Floats x) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(x.v), _mm256_set1_epi32(127));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23))};
}
inline Floats loadHalf(const void* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
}
inline Floats loadHalfPart(const void* p, std::size_t count) {
    alignas(16) std::uint16_t bits[kLanes] = {};
    std::memcpy(bits, p, count * sizeof(std::uint16_t));
    return loadHalf(bits);
}
inline Floats loadBfloat(const void* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
}
inline Floats loadBfloatPart(const void* p, std::size_t count) {
    alignas(16) std::uint16_t bits[kLanes] = {};
    std::memcpy(bits, p, count * sizeof(std::uint16_t));
    return loadBfloat(bits);
}
inline Floats loadInt8(const void* p) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))))};
}
inline void storeInt8(std::int8_t* p, Floats x) {
    const __m256i words = _mm256_cvtps_epi32(x.v);
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(halves, halves));
}
inline void storeHalf(void* p, Floats x) {
    _mm_storeu_si128(static_cast<__m128i*>(p),
                     _mm256_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline float sumOf128(__m128 x) {
    const __m128 pairs = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(pairs, _mm_shuffle_ps(pairs, pairs, 1)));
}
inline float sumOf(Floats x) {
    return sumOf128(_mm_add_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1)));
}
inline Floats sumEach(const Floats (&x)[kLanes]) {
    const __m256 pairs01 = _mm256_hadd_ps(x[0].v, x[1].v), pairs23 = _mm256_hadd_ps(x[2].v, x[3].v);
    const __m256 pairs45 = _mm256_hadd_ps(x[4].v, x[5].v), pairs67 = _mm256_hadd_ps(x[6].v, x[7].v);
    const __m256 low = _mm256_hadd_ps(pairs01, pairs23), high = _mm256_hadd_ps(pairs45, pairs67);
    return {_mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31))};
}
inline float maximumOf(Floats x) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline double sumOfFour(__m256d x) {
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
inline double sumOfDouble(Floats x) {
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(x.v));
    return sumOfFour(_mm256_add_pd(low, _mm256_cvtps_pd(_mm256_extractf128_ps(x.v, 1))));
}
inline double sumOfSquaresDouble(Floats x) {
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(x.v));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(x.v, 1));
    return sumOfFour(_mm256_fmadd_pd(low, low, _mm256_mul_pd(high, high)));
}
#include "backends/cpu/isa/avx2/shuffles.inl"
