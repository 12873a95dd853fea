// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Types of one value per block. Rows have any number of columns, so the tail of a row is no whole group.
// Part of weights.glsl.

float floatAt(uint which, uint row, uint column, uint columns) {
    if (column >= columns) return 0.0;
    if (TYPE == F32) return uintBitsToFloat(wordAt(which, row + column * 4u));
    const uint bits = shortAt(which, row + column * 2u);
    return TYPE == F16 ? halfToFloat(bits) : uintBitsToFloat(bits << 16);
}

// Two halves of a word.
vec2 twoFloats(uint word) {
    if (TYPE == F16) return vec2(halfToFloat(word & 0xFFFFu), halfToFloat(word >> 16));
    return vec2(uintBitsToFloat(word << 16), uintBitsToFloat(word & 0xFFFF0000u));
}

vec4 fourFloats(uint which, uint row, uint column, uint columns) {
    if (column + 4u > columns) {
        return vec4(floatAt(which, row, column, columns), floatAt(which, row, column + 1u, columns),
                    floatAt(which, row, column + 2u, columns), floatAt(which, row, column + 3u, columns));
    }
    if (TYPE == F32) {
        const uint first = (row >> 2) + column;
        return uintBitsToFloat(uvec4(alignedWord(which, first), alignedWord(which, first + 1u),
                                     alignedWord(which, first + 2u), alignedWord(which, first + 3u)));
    }
    const uint at = row + column * 2u;
    return vec4(twoFloats(wordAt(which, at)), twoFloats(wordAt(which, at + 4u)));
}
