// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of floats as blocks of 32: 8 words of signed bytes, the scale, scale × sum of the bytes. What is missing
// of the last block is zero.
// Constants: 0 local size, a multiple of 32. Grid: x ceil(columns / local size), y rows × parts.
// Shared memory: 8 bytes × local size.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "buffers.glsl"

layout(push_constant) uniform Push {
    QuantisePush push;
};

shared float greatest[gl_WorkGroupSize.x];
shared int quants[gl_WorkGroupSize.x];

void main() {
    const uint lane = gl_LocalInvocationID.x;
    const uint inBlock = lane & 31u;
    const uint column = gl_GlobalInvocationID.x;
    const uint row = gl_WorkGroupID.y / push.parts;
    const uint part = gl_WorkGroupID.y % push.parts;
    if (row >= push.rows) return;
    const uint from =
        push.inOffset + gatheredRow(push.gatherOffset, row) * push.inStride + part * push.inPartStride;
    const float value = column < push.columns ? arenaAt(from + column) : 0.0;

    greatest[lane] = abs(value);
    for (uint apart = 16u; apart > 0u; apart /= 2u) {
        barrier();
        if (inBlock < apart) greatest[lane] = max(greatest[lane], greatest[lane + apart]);
    }
    barrier();
    const float scale = greatest[lane - inBlock] / 127.0;
    const float scaled = scale > 0.0 ? value / scale : 0.0;
    const int quant = clamp(int(sign(scaled) * floor(abs(scaled) + 0.5)), -127, 127);
    quants[lane] = quant;
    barrier();

    if (column - inBlock >= push.columns) return;
    const uint to = push.outOffset + row * push.outStride + part * push.outPartStride + (column / 32u) * 10u;
    if ((inBlock & 3u) == 0u) {
        const uint word = (uint(quants[lane]) & 255u) | ((uint(quants[lane + 1u]) & 255u) << 8) |
                          ((uint(quants[lane + 2u]) & 255u) << 16) | (uint(quants[lane + 3u]) << 24);
        arenaWords[to + inBlock / 4u] = word;
    }
    if (inBlock == 1u) {
        int sum = 0;
        for (uint i = 0u; i < 32u; ++i)
            sum += quants[lane - 1u + i];
        setArena(to + 8u, scale);
        setArena(to + 9u, scale * float(sum));
    }
}
