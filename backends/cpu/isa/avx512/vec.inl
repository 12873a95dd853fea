// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Vector vocabulary of the AVX-512 tier: sixteen float lanes. See isa/baseline/vec.inl for what each name
// means.

inline constexpr std::size_t kLanes = 16;
inline constexpr std::size_t kDirectSums = 16;

struct Floats {
    __m512 v;
};

inline __mmask16 laneMask(std::size_t count) {
    return static_cast<__mmask16>((1u << count) - 1u);
}
inline Floats broadcast(float x) {
    return {_mm512_set1_ps(x)};
}
inline Floats zero() {
    return {_mm512_setzero_ps()};
}
inline Floats load(const void* p) {
    return {_mm512_loadu_ps(p)};
}
inline Floats loadPart(const void* p, std::size_t count) {
    return {_mm512_maskz_loadu_ps(laneMask(count), p)};
}
inline void store(float* p, Floats x) {
    _mm512_storeu_ps(p, x.v);
}
inline void storePart(float* p, Floats x, std::size_t count) {
    _mm512_mask_storeu_ps(p, laneMask(count), x.v);
}
inline Floats add(Floats a, Floats b) {
    return {_mm512_add_ps(a.v, b.v)};
}
inline Floats subtract(Floats a, Floats b) {
    return {_mm512_sub_ps(a.v, b.v)};
}
inline Floats multiply(Floats a, Floats b) {
    return {_mm512_mul_ps(a.v, b.v)};
}
inline Floats divide(Floats a, Floats b) {
    return {_mm512_div_ps(a.v, b.v)};
}
inline Floats multiplyAdd(Floats a, Floats b, Floats c) {
    return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline Floats maximum(Floats a, Floats b) {
    return {_mm512_max_ps(a.v, b.v)};
}
inline Floats minimum(Floats a, Floats b) {
    return {_mm512_min_ps(a.v, b.v)};
}
inline Floats selectLess(Floats a, Floats b, Floats then, Floats otherwise) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), otherwise.v, then.v)};
}
inline Floats absolute(Floats x) {
    return {_mm512_abs_ps(x.v)};
}
inline Floats roundNearest(Floats x) {
    return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Floats powerOfTwo(Floats x) {
    const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(x.v), _mm512_set1_epi32(127));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23))};
}
inline Floats loadHalf(const void* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)))};
}
inline Floats loadHalfPart(const void* p, std::size_t count) {
    return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(laneMask(count), p))};
}
inline Floats widenBfloat(__m256i bits) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
inline Floats loadBfloat(const void* p) {
    return widenBfloat(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
inline Floats loadBfloatPart(const void* p, std::size_t count) {
    return widenBfloat(_mm256_maskz_loadu_epi16(laneMask(count), p));
}
inline Floats loadInt8(const void* p) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))))};
}
inline void storeInt8(std::int8_t* p, Floats x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x.v)));
}
inline void storeHalf(void* p, Floats x) {
    _mm256_storeu_si256(static_cast<__m256i*>(p),
                        _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline float sumOf(Floats x) {
    return _mm512_reduce_add_ps(x.v);
}
/// Lane i of each quarter: the sum of that quarter of the i-th.
inline __m512 sumQuarters(Floats a, Floats b, Floats c, Floats d) {
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a.v, b.v), _mm512_unpackhi_ps(a.v, b.v));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c.v, d.v), _mm512_unpackhi_ps(c.v, d.v));
    return _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xEE));
}
inline __m512 addQuarters(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
}
inline Floats sumEach(const Floats (&x)[kLanes]) {
    const __m512 low = addQuarters(sumQuarters(x[0], x[1], x[2], x[3]), sumQuarters(x[4], x[5], x[6], x[7]));
    const __m512 high =
        addQuarters(sumQuarters(x[8], x[9], x[10], x[11]), sumQuarters(x[12], x[13], x[14], x[15]));
    return {addQuarters(low, high)};
}
inline float maximumOf(Floats x) {
    return _mm512_reduce_max_ps(x.v);
}
inline double sumOfDouble(Floats x) {
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x.v));
    return _mm512_reduce_add_pd(_mm512_add_pd(low, _mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1))));
}
inline double sumOfSquaresDouble(Floats x) {
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x.v));
    const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1));
    return _mm512_reduce_add_pd(_mm512_fmadd_pd(low, low, _mm512_mul_pd(high, high)));
}
#include "backends/cpu/isa/avx2/shuffles.inl"
