// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Vector vocabulary of the NEON tier: four float lanes. See isa/baseline/vec.inl for what each name means.

inline constexpr std::size_t kLanes = 4;
/// Sums that a kernel may hold next to what it adds, in about half of the 32 registers.
inline constexpr std::size_t kDirectSums = 16;

struct Floats {
    float32x4_t v;
};

inline Floats broadcast(float x) {
    return {vdupq_n_f32(x)};
}
inline Floats zero() {
    return broadcast(0.0f);
}
inline Floats load(const void* p) {
    return {vld1q_f32(static_cast<const float*>(p))};
}
inline Floats loadPart(const void* p, std::size_t count) {
    float lanes[kLanes] = {};
    std::memcpy(lanes, p, count * sizeof(float));
    return load(lanes);
}
inline void store(float* p, Floats x) {
    vst1q_f32(p, x.v);
}
inline void storePart(float* p, Floats x, std::size_t count) {
    float lanes[kLanes];
    store(lanes, x);
    std::memcpy(p, lanes, count * sizeof(float));
}
inline Floats add(Floats a, Floats b) {
    return {vaddq_f32(a.v, b.v)};
}
inline Floats subtract(Floats a, Floats b) {
    return {vsubq_f32(a.v, b.v)};
}
inline Floats multiply(Floats a, Floats b) {
    return {vmulq_f32(a.v, b.v)};
}
inline Floats divide(Floats a, Floats b) {
    return {vdivq_f32(a.v, b.v)};
}
inline Floats multiplyAdd(Floats a, Floats b, Floats c) {
    return {vfmaq_f32(c.v, a.v, b.v)};
}
/// The instruction of that name would return no number where either is none.
inline Floats maximum(Floats a, Floats b) {
    return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)};
}
inline Floats minimum(Floats a, Floats b) {
    return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)};
}
inline Floats selectLess(Floats a, Floats b, Floats then, Floats otherwise) {
    return {vbslq_f32(vcltq_f32(a.v, b.v), then.v, otherwise.v)};
}
inline Floats absolute(Floats x) {
    return {vabsq_f32(x.v)};
}
inline Floats roundNearest(Floats x) {
    return {vrndnq_f32(x.v)};
}
inline Floats powerOfTwo(Floats x) {
    const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(x.v), vdupq_n_s32(127));
    return {vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23))};
}
inline Floats halvesToFloats(uint16x4_t bits) {
    return {vcvt_f32_f16(vreinterpret_f16_u16(bits))};
}
inline Floats bfloatsToFloats(uint16x4_t bits) {
    return {vreinterpretq_f32_u32(vshll_n_u16(bits, 16))};
}
inline uint16x4_t loadWords(const void* p, std::size_t count) {
    std::uint16_t bits[kLanes] = {};
    std::memcpy(bits, p, count * sizeof(std::uint16_t));
    return vld1_u16(bits);
}
inline Floats loadHalf(const void* p) {
    return halvesToFloats(loadWords(p, kLanes));
}
inline Floats loadHalfPart(const void* p, std::size_t count) {
    return halvesToFloats(loadWords(p, count));
}
inline Floats loadBfloat(const void* p) {
    return bfloatsToFloats(loadWords(p, kLanes));
}
inline Floats loadBfloatPart(const void* p, std::size_t count) {
    return bfloatsToFloats(loadWords(p, count));
}
inline Floats loadInt8(const void* p) {
    std::uint32_t four;
    std::memcpy(&four, p, sizeof(four));
    const int16x8_t words = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four)));
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)))};
}
inline void storeInt8(std::int8_t* p, Floats x) {
    const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(x.v));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
    const std::uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
    std::memcpy(p, &four, sizeof(four));
}
inline void storeHalf(void* p, Floats x) {
    std::uint16_t bits[kLanes];
    vst1_u16(bits, vreinterpret_u16_f16(vcvt_f16_f32(x.v)));
    std::memcpy(p, bits, sizeof(bits));
}
inline float sumOf(Floats x) {
    const float32x2_t pairs = vadd_f32(vget_low_f32(x.v), vget_high_f32(x.v));
    return vget_lane_f32(vpadd_f32(pairs, pairs), 0);
}
inline Floats sumEach(const Floats (&x)[kLanes]) {
    return {vpaddq_f32(vpaddq_f32(x[0].v, x[1].v), vpaddq_f32(x[2].v, x[3].v))};
}
inline float maximumOf(Floats x) {
    return vmaxvq_f32(x.v);
}
inline double sumOfDouble(Floats x) {
    return vaddvq_f64(vaddq_f64(vcvt_f64_f32(vget_low_f32(x.v)), vcvt_high_f64_f32(x.v)));
}
inline double sumOfSquaresDouble(Floats x) {
    const float64x2_t low = vcvt_f64_f32(vget_low_f32(x.v));
    const float64x2_t high = vcvt_high_f64_f32(x.v);
    return vaddvq_f64(vfmaq_f64(vmulq_f64(high, high), low, low));
}
inline void prefetch(const void* p) {
#if defined(__GNUC__)
    __builtin_prefetch(p);
#else
    (void)p;
#endif
}
inline float halfScale(const void* p) {
    std::uint16_t bits;
    std::memcpy(&bits, p, sizeof(bits));
    return vgetq_lane_f32(halvesToFloats(vdup_n_u16(bits)).v, 0);
}

/// Four registers of four 32-bit elements, rows to columns, in place.
inline void transpose4x4(uint32x4_t (&r)[4]) {
    const uint64x2_t even01 = vreinterpretq_u64_u32(vtrn1q_u32(r[0], r[1]));
    const uint64x2_t odd01 = vreinterpretq_u64_u32(vtrn2q_u32(r[0], r[1]));
    const uint64x2_t even23 = vreinterpretq_u64_u32(vtrn1q_u32(r[2], r[3]));
    const uint64x2_t odd23 = vreinterpretq_u64_u32(vtrn2q_u32(r[2], r[3]));
    r[0] = vreinterpretq_u32_u64(vtrn1q_u64(even01, even23));
    r[1] = vreinterpretq_u32_u64(vtrn1q_u64(odd01, odd23));
    r[2] = vreinterpretq_u32_u64(vtrn2q_u64(even01, even23));
    r[3] = vreinterpretq_u32_u64(vtrn2q_u64(odd01, odd23));
}

inline void transpose8x8(const float* const rows[8], std::size_t offset, float* out, std::size_t step) {
    for (std::size_t r = 0; r < 8; r += 4) {
        for (std::size_t k = 0; k < 8; k += 4) {
            uint32x4_t square[4];
            for (std::size_t i = 0; i < 4; ++i)
                square[i] = vreinterpretq_u32_f32(vld1q_f32(rows[r + i] + offset + k));
            transpose4x4(square);
            for (std::size_t i = 0; i < 4; ++i)
                vst1q_f32(out + (k + i) * step + r, vreinterpretq_f32_u32(square[i]));
        }
    }
}
