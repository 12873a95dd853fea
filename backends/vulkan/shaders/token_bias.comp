// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Adds to single logits in the arena. A token that is listed more than once is the business of its first entry.
// Constants: 0 local size. Grid: x ceil(count / local size), y rows. No shared memory.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "buffers.glsl"

layout(push_constant) uniform Push {
    TokenBiasPush push;
};

void main() {
    const uint entry = gl_GlobalInvocationID.x;
    const uint row = gl_WorkGroupID.y;
    if (entry >= push.count || row >= push.rows) return;
    const uint token = stepWords[push.listOffset + 2u * entry];
    if (token >= push.vocabulary) return;
    for (uint other = 0u; other < entry; ++other) {
        if (stepWords[push.listOffset + 2u * other] == token) return;
    }
    const uint at = push.logitsOffset + row * push.logitsStride + token;
    float logit = arenaAt(at);
    for (uint other = entry; other < push.count; ++other) {
        if (stepWords[push.listOffset + 2u * other] != token) continue;
        logit += uintBitsToFloat(stepWords[push.listOffset + 2u * other + 1u]);
    }
    setArena(at, logit);
}
