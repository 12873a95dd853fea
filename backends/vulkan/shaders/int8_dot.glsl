// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Dot products of four packed signed bytes. The compiler of Debian 12 has no extension for them in GLSL, so the
// instruction is named by its number.
// @source SPV_KHR_integer_dot_product: OpSDotKHR, packed vector format 4x8Bit
#ifndef INT8_DOT_GLSL
#define INT8_DOT_GLSL

#extension GL_EXT_spirv_intrinsics : require

spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int packedDot(int a, int b, spirv_literal int packedFormat);

int dotBytes(int a, int b) {
    return packedDot(a, b, 0);
}

int sumOfBytes(int bytes) {
    return packedDot(bytes, 0x01010101, 0);
}

// Words of a block of 32 that quantise.comp makes: the bytes, the scale, scale × sum of the bytes.
const uint FORM_WORDS = 10u;
const uint FORM_SCALE = 8u;

#endif
