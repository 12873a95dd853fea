// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of a KV cache, as words. KV is the order of graph::KvType: 0 half precision, two values a word; 1 Q8_0,
// blocks of 32 as 8 words of signed bytes and a word with the scale as a float; 2 floats. Rows are padded to whole
// blocks. Row (sequence × kvHeads + kvHead) × contextTokens + position.
#ifndef KV_ROWS_GLSL
#define KV_ROWS_GLSL

#include "half_float.glsl"

const uint KV_F16 = 0u;
const uint KV_Q8_0 = 1u;

// Values that are read and written together: those of one word.
const uint KV_UNIT = KV == KV_F16 ? 2u : KV == KV_Q8_0 ? 4u : 1u;

uint kvRowWords(uint count) {
    return KV == KV_F16 ? (count + 1u) / 2u : KV == KV_Q8_0 ? (count + 31u) / 32u * 9u : count;
}

// The word of a unit, from the row's first on.
uint kvUnitWord(uint unit) {
    return KV == KV_Q8_0 ? unit / 8u * 9u + unit % 8u : unit;
}

// The word of the scale that goes with a unit of Q8_0.
uint kvScaleWord(uint unit) {
    return unit / 8u * 9u + 8u;
}

// Up to four values; those that the type does not have are 0.
vec4 kvDecode(uint word, float scale) {
    if (KV == KV_F16) return vec4(halfToFloat(word & 0xFFFFu), halfToFloat(word >> 16), 0.0, 0.0);
    if (KV == KV_Q8_0) {
        const int bytes = int(word);
        return scale * vec4(bitfieldExtract(bytes, 0, 8), bitfieldExtract(bytes, 8, 8),
                            bitfieldExtract(bytes, 16, 8), bitfieldExtract(bytes, 24, 8));
    }
    return vec4(uintBitsToFloat(word), 0.0, 0.0, 0.0);
}

#endif
