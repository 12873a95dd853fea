// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of weights as they lie in the file, read in groups of eight columns. TYPE is the number of the tensor's type
// (core/engine/quant/types.inc); every quantised type comes as eight signed bytes with a scale and an offset.
// Rows may begin at any byte: bytes are cut out of words. `which` names the buffer, 0 of set 1 or 1 of set 3, and
// is a constant by the time a driver has unrolled what uses it.
#ifndef WEIGHTS_GLSL
#define WEIGHTS_GLSL

#include "grid_layout.h"
#include "half_float.glsl"

#ifdef GRID_WEIGHTS
layout(set = 0, binding = 3) readonly restrict buffer Grids {
    uint grids[];
};
#endif
layout(set = 1, binding = 0) readonly restrict buffer Weights {
    uint words[];
};
#ifdef SECOND_WEIGHT
layout(set = 3, binding = 0) readonly restrict buffer SecondWeights {
    uint secondWords[];
};
#endif

const uint F32 = 0u;
const uint F16 = 1u;
const uint Q4_0 = 2u;
const uint Q4_1 = 3u;
const uint Q5_0 = 6u;
const uint Q5_1 = 7u;
const uint Q8_0 = 8u;
const uint Q2_K = 10u;
const uint Q3_K = 11u;
const uint Q4_K = 12u;
const uint Q5_K = 13u;
const uint Q6_K = 14u;
const uint IQ2_XXS = 16u;
const uint IQ2_XS = 17u;
const uint IQ3_XXS = 18u;
const uint IQ1_S = 19u;
const uint IQ4_NL = 20u;
const uint IQ3_S = 21u;
const uint IQ2_S = 22u;
const uint IQ4_XS = 23u;
const uint IQ1_M = 29u;
const uint BF16 = 30u;
const uint TQ1_0 = 34u;
const uint TQ2_0 = 35u;
const uint MXFP4 = 39u;
const uint NVFP4 = 40u;
const uint Q1_0 = 41u;
const uint Q2_0 = 42u;

const bool FLOATS = TYPE == F32 || TYPE == F16 || TYPE == BF16;
const bool HAS_OFFSET = TYPE == Q4_1 || TYPE == Q5_1 || TYPE == Q2_K || TYPE == Q4_K || TYPE == Q5_K || TYPE == IQ1_S ||
                        TYPE == IQ1_M;

// Values 0-3 and 4-7 in the bytes of low and high; value = scale × byte + offset.
struct Group {
    int low;
    int high;
    float scale;
    float offset;
};

uint alignedWord(uint which, uint index) {
#ifdef SECOND_WEIGHT
    if (which != 0u) return secondWords[index];
#endif
    return words[index];
}

uint byteAt(uint which, uint at) {
    return (alignedWord(which, at >> 2) >> ((at & 3u) * 8u)) & 0xFFu;
}

// Four bytes from any place; reads no word that holds none of them.
uint wordAt(uint which, uint at) {
    const uint shift = (at & 3u) * 8u;
    const uint lower = alignedWord(which, at >> 2) >> shift;
    // In two steps, so that a shift by 32 leaves nothing.
    return lower | ((alignedWord(which, (at + 3u) >> 2) << 1) << (31u - shift));
}

// Two bytes at an even place: of every type with such fields, blocks have an even number of bytes.
uint shortAt(uint which, uint at) {
    return (alignedWord(which, at >> 2) >> ((at & 2u) * 8u)) & 0xFFFFu;
}

float halfAt(uint which, uint at) {
    return halfToFloat(shortAt(which, at));
}

// Each byte less `by`, which is at most 128, for bytes of at most 127.
int bytesLess(uint bytes, uint by) {
    return int(((bytes | 0x80808080u) - by * 0x01010101u) ^ 0x80808080u);
}

// The lower four bits, each in a byte of its own.
uint spreadBits(uint bits) {
    return ((bits & 15u) * 0x00204081u) & 0x01010101u;
}

// The bytes negated where the bit is set; none of them is 0.
int negated(uint bytes, uint bits) {
    const uint ones = spreadBits(bits);
    return int((bytes ^ (ones * 255u)) + ones);
}

// Seven bits of signs, and an eighth that makes their number even.
uint signsOf(uint index) {
    return (index & 127u) | ((uint(bitCount(index & 127u)) & 1u) << 7);
}

uint pickByte(uvec4 table, uint nibble) {
    const uint lower = (nibble & 4u) == 0u ? table.x : table.y;
    const uint upper = (nibble & 4u) == 0u ? table.z : table.w;
    return (((nibble & 8u) == 0u ? lower : upper) >> ((nibble & 3u) * 8u)) & 255u;
}

// Each byte, 0 to 15, replaced by that entry of a table of signed bytes.
int lookedUp(uvec4 table, uint nibbles) {
    return int(pickByte(table, nibbles & 15u) | (pickByte(table, (nibbles >> 8) & 15u) << 8) |
               (pickByte(table, (nibbles >> 16) & 15u) << 16) | (pickByte(table, nibbles >> 24) << 24));
}

// -127 -104 -83 -65 | -49 -35 -22 -10 | 1 13 25 38 | 53 69 89 113
const uvec4 UNEVEN_VALUES = uvec4(0xBFAD9881u, 0xF6EADDCFu, 0x26190D01u, 0x71594535u);
// 0 1 2 3 | 4 6 8 12 | 0 -1 -2 -3 | -4 -6 -8 -12: E2M1, doubled
const uvec4 E2M1_VALUES = uvec4(0x03020100u, 0x0C080604u, 0xFDFEFF00u, 0xF4F8FAFCu);

// Half of 2^(exponent − 127).
float halvedE8m0(uint exponent) {
    return uintBitsToFloat(exponent < 2u ? 0x00200000u << exponent : (exponent - 1u) << 23);
}

// Half of an unsigned E4M3; 0x7F has no value and reads as 0.
float halvedE4m3(uint bits) {
    if (bits == 0u || bits == 0x7Fu) return 0.0;
    const uint exponent = (bits >> 3) & 15u;
    const float fraction = float(bits & 7u);
    if (exponent == 0u) return fraction * 0.0009765625;
    return uintBitsToFloat((exponent + 119u) << 23) * (1.0 + fraction / 8.0);
}

// Digit n of five in each byte, the first the greatest power of three, as 0, 1 or 2.
uint ternaryDigits(uint bytes, uint digit) {
    const uint power = digit == 0u ? 1u : digit == 1u ? 3u : digit == 2u ? 9u : digit == 3u ? 27u : 81u;
    const uint even = ((bytes & 0x00FF00FFu) * power) & 0x00FF00FFu;
    const uint odd = (((bytes >> 8) & 0x00FF00FFu) * power) & 0x00FF00FFu;
    return (((even * 3u) >> 8) & 0x00030003u) | ((odd * 3u) & 0x03000300u);
}

// The 6-bit scale and minimum of a sub-block out of the 12 bytes that Q4_K and Q5_K share.
uvec2 scaleAndMinimum(uint which, uint at, uint sub) {
    const uint lane = sub & 3u;
    const uint first = byteAt(which, at + lane);
    const uint second = byteAt(which, at + lane + 4u);
    if (sub < 4u) return uvec2(first & 63u, second & 63u);
    const uint third = byteAt(which, at + lane + 8u);
    return uvec2((third & 15u) | ((first >> 6) << 4), (third >> 4) | ((second >> 6) << 4));
}

// Of types with 16 bytes of quants for 32 values: low halves are values 0-15, high halves 16-31.
uvec2 nibbles(uint which, uint quants, uint part) {
    const uint at = quants + (part & 1u) * 8u;
    const uint shift = (part >> 1) * 4u;
    return (uvec2(wordAt(which, at), wordAt(which, at + 4u)) >> shift) & 0x0F0F0F0Fu;
}

// A shader knows one family of types: drivers read all of a shader for each of its pipelines.
// decodeGroup gives group `group` (columns 8 × group and on) of the quantised row that begins at byte `row`.
#if defined(PLAIN_WEIGHTS)
#include "weights_plain.glsl"

Group decodeGroup(uint which, uint row, uint group) {
    if (TYPE == Q4_0) return groupQ4_0(which, row, group);
    if (TYPE == Q4_1) return groupQ4_1(which, row, group);
    if (TYPE == Q5_0) return groupQ5_0(which, row, group);
    if (TYPE == Q5_1) return groupQ5_1(which, row, group);
    if (TYPE == Q8_0) return groupQ8_0(which, row, group);
    if (TYPE == IQ4_NL) return groupIQ4_NL(which, row, group);
    if (TYPE == TQ1_0) return groupTQ1_0(which, row, group);
    if (TYPE == TQ2_0) return groupTQ2_0(which, row, group);
    if (TYPE == MXFP4) return groupMXFP4(which, row, group);
    if (TYPE == NVFP4) return groupNVFP4(which, row, group);
    if (TYPE == Q1_0) return groupQ1_0(which, row, group);
    return groupQ2_0(which, row, group);
}
#elif defined(K_WEIGHTS)
#include "weights_k.glsl"

Group decodeGroup(uint which, uint row, uint group) {
    if (TYPE == Q2_K) return groupQ2_K(which, row, group);
    if (TYPE == Q3_K) return groupQ3_K(which, row, group);
    if (TYPE == Q4_K) return groupQ4_K(which, row, group);
    if (TYPE == Q5_K) return groupQ5_K(which, row, group);
    return groupQ6_K(which, row, group);
}
#elif defined(GRID_WEIGHTS)
#include "weights_iq.glsl"

Group decodeGroup(uint which, uint row, uint group) {
    if (TYPE == IQ2_XXS) return groupIQ2_XXS(which, row, group);
    if (TYPE == IQ2_XS) return groupIQ2_XS(which, row, group);
    if (TYPE == IQ3_XXS) return groupIQ3_XXS(which, row, group);
    if (TYPE == IQ1_S) return groupIQ1_S(which, row, group);
    if (TYPE == IQ3_S) return groupIQ3_S(which, row, group);
    if (TYPE == IQ2_S) return groupIQ2_S(which, row, group);
    if (TYPE == IQ4_XS) return groupIQ4_XS(which, row, group);
    return groupIQ1_M(which, row, group);
}
#else
#include "weights_float.glsl"
#endif

vec4 bytesAsFloats(int bytes) {
    return vec4(bitfieldExtract(bytes, 0, 8), bitfieldExtract(bytes, 8, 8), bitfieldExtract(bytes, 16, 8),
                bitfieldExtract(bytes, 24, 8));
}

// Eight values of a row of any type; columns from `columns` on are 0.
void decodeValues(uint which, uint row, uint group, uint columns, out vec4 low, out vec4 high) {
#ifdef FLOAT_WEIGHTS
    low = fourFloats(which, row, group * 8u, columns);
    high = fourFloats(which, row, group * 8u + 4u, columns);
#else
    const Group coded = decodeGroup(which, row, group);
    low = coded.scale * bytesAsFloats(coded.low) + coded.offset;
    high = coded.scale * bytesAsFloats(coded.high) + coded.offset;
#endif
}

#endif
