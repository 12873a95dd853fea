// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// out (+)= Σ weight × part. The parts of a token lie one behind the other, `width` apart.
// Constants: 0 local size. Grid: x ceil(width / local size), y tokens. No shared memory.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "buffers.glsl"

layout(push_constant) uniform Push {
    ExpertSumPush push;
};

void main() {
    const uint column = gl_GlobalInvocationID.x;
    const uint token = gl_WorkGroupID.y;
    if (column >= push.width || token >= push.tokens) return;
    const uint weights = push.routingOffset + token * push.routingStride + push.used;
    const uint parts = push.partOffset + token * push.partStride + column;
    float sum = 0.0;
    for (uint part = 0u; part < push.used; ++part) {
        sum += arenaAt(weights + part) * arenaAt(parts + part * push.width);
    }
    const uint at = push.outOffset + token * push.outStride + column;
    if (push.accumulate != 0u) sum += arenaAt(at);
    setArena(at, sum);
}
