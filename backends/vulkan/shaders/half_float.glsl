// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Half precision by hand where hardware may round or flush as it likes.
#ifndef HALF_FLOAT_GLSL
#define HALF_FLOAT_GLSL

// Denormals survive; unpackHalf2x16 alone may flush them.
float halfToFloat(uint bits) {
    const float tiny = float(bits & 0x3FFu) * 5.9604644775390625e-8;  // 2^-24
    const float signedTiny = (bits & 0x8000u) != 0u ? -tiny : tiny;
    return (bits & 0x7C00u) == 0u ? signedTiny : unpackHalf2x16(bits & 0xFFFFu).x;
}

// Rounds to nearest, ties to even; packHalf2x16 may round either way.
uint floatToHalf(float value) {
    const uint bits = floatBitsToUint(value);
    const uint sign = (bits >> 16) & 0x8000u;
    const uint magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return sign | 0x7E00u;
    // 65520 and more round to infinity.
    if (magnitude >= 0x477FF000u) return sign | 0x7C00u;
    if (magnitude < 0x33000000u) return sign;
    const uint exponent = magnitude >> 23;
    const bool denormal = exponent < 113u;
    const uint shift = denormal ? 126u - exponent : 13u;
    const uint fraction = denormal ? (magnitude & 0x7FFFFFu) | 0x800000u : magnitude - (112u << 23);
    const uint kept = fraction >> shift;
    const uint rest = fraction & ((1u << shift) - 1u);
    const uint middle = 1u << (shift - 1u);
    const bool up = rest > middle || (rest == middle && (kept & 1u) == 1u);
    return sign | (kept + (up ? 1u : 0u));
}

#endif
