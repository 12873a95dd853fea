// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What matvec and matmul share: where x lies and what becomes of a sum.
#ifndef PRODUCT_GLSL
#define PRODUCT_GLSL

#include "activation.glsl"
#include "buffers.glsl"

layout(push_constant) uniform Push {
    ProductPush push;
};

// Eight values of x from `column` on; 0 behind the last column.
void loadX(uint base, uint column, out vec4 low, out vec4 high) {
    const uint at = base + column;
    if (column + 8u <= push.columns) {
        low = uintBitsToFloat(
            uvec4(arenaWords[at], arenaWords[at + 1u], arenaWords[at + 2u], arenaWords[at + 3u]));
        high = uintBitsToFloat(
            uvec4(arenaWords[at + 4u], arenaWords[at + 5u], arenaWords[at + 6u], arenaWords[at + 7u]));
        return;
    }
    low = vec4(0.0);
    high = vec4(0.0);
    for (uint i = 0u; i < 4u; ++i) {
        if (column + i < push.columns) low[i] = arenaAt(at + i);
        if (column + 4u + i < push.columns) high[i] = arenaAt(at + 4u + i);
    }
}

// The place in out of row `row` of a token's part; `value` has bias and activation behind it.
void storeProduct(uint at, float value) {
    value = softcapped(push.softcap, push.scale * value);
    if (push.accumulate != 0u) value += arenaAt(at);
    setArena(at, value);
}

float withBias(float sum, uint row) {
    return push.biasOffset == LOADER_NONE ? sum : sum + vectors[push.biasOffset + row];
}

#endif
