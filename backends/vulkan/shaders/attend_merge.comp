// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Puts the splits of attend together: one workgroup for each (token, head).
// Constants: 0 local size. Grid: x tokens × heads (+ z × x groups). No shared memory.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "attend_parts.glsl"
#include "buffers.glsl"

layout(push_constant) uniform Push {
    AttendPush push;
};

void main() {
    const uint index = gl_WorkGroupID.x + gl_WorkGroupID.z * gl_NumWorkGroups.x;
    if (index >= push.tokens * push.heads) return;
    const uint token = index / push.heads;
    const uint head = index % push.heads;
    const uint first = partAt(push, token, head, 0u);
    const uint apart = push.valueLength + 2u;
    float most = ATTEND_LEAST;
    for (uint s = 0u; s < push.splits; ++s)
        most = max(most, arenaAt(first + s * apart + push.valueLength));
    float total = 0.0;
    for (uint s = 0u; s < push.splits; ++s) {
        const uint at = first + s * apart + push.valueLength;
        total += arenaAt(at + 1u) * exp(max(arenaAt(at) - most, -1000.0));
    }
    const uint to = push.outOffset + token * push.outStride + head * push.valueLength;
    for (uint column = gl_LocalInvocationID.x; column < push.valueLength; column += gl_WorkGroupSize.x) {
        float sum = 0.0;
        for (uint s = 0u; s < push.splits; ++s) {
            const uint at = first + s * apart;
            sum += arenaAt(at + column) * exp(max(arenaAt(at + push.valueLength) - most, -1000.0));
        }
        setArena(to + column, total > 0.0 ? sum / total : 0.0);
    }
}
