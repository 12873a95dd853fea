// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// out = activate(gate) × up, or activate(up) without a gate.
// Constants: 0 local size, 1 GATED. Grid: x ceil(width / local size), y tokens. No shared memory.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint GATED = 1;

#include "buffers.glsl"
#include "activation.glsl"

layout(push_constant) uniform Push {
    ActivatePush push;
};

void main() {
    const uint column = gl_GlobalInvocationID.x;
    const uint token = gl_WorkGroupID.y;
    if (column >= push.width || token >= push.tokens) return;
    const float up = arenaAt(push.upOffset + token * push.upStride + column);
    float value;
    if (GATED != 0u) {
        value = activated(push.activation, arenaAt(push.gateOffset + token * push.gateStride + column)) * up;
    } else {
        value = activated(push.activation, up);
    }
    setArena(push.outOffset + token * push.outStride + column, value);
}
