// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Integer dot products of the NEON tier: four sums of four products each.

#if defined(__clang__) && !defined(__ARM_FEATURE_DOTPROD)
// Clang before 16 declares the intrinsics only where the whole file is compiled for them.
inline int32x4_t addDot(int32x4_t sum, int8x16_t a, int8x16_t b) {
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
}
template <int lane>
inline int32x4_t addDotLane(int32x4_t sum, int8x16_t a, int8x16_t b) {
    __asm__("sdot %0.4s, %1.16b, %2.4b[%3]" : "+w"(sum) : "w"(a), "w"(b), "i"(lane));
    return sum;
}
#else
inline int32x4_t addDot(int32x4_t sum, int8x16_t a, int8x16_t b) {
    return vdotq_s32(sum, a, b);
}
/// Every four values of a times the four of b that `lane` names.
template <int lane>
inline int32x4_t addDotLane(int32x4_t sum, int8x16_t a, int8x16_t b) {
    return vdotq_laneq_s32(sum, a, b, lane);
}
#endif
