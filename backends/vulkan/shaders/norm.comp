// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// out (+)= norm(in) × weight + bias, in place too: each invocation writes only what it alone has read.
// Constants: 0 local size, 1 KIND (0 root mean square, 1 layer). Grid: x rows × parts (+ z × x groups).
// Shared memory: 4 bytes × local size.
// @source root mean square: Zhang & Sennrich 2019 eq. 4; layer: Ba et al. 2016 eq. 4
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint KIND = 0;

#include "buffers.glsl"
#include "reduce.glsl"

layout(push_constant) uniform Push {
    NormPush push;
};

void main() {
    const uint index = gl_WorkGroupID.x + gl_WorkGroupID.z * gl_NumWorkGroups.x;
    if (index >= push.rows * push.parts) return;
    const uint row = index / push.parts;
    const uint part = index % push.parts;
    const uint from = push.inOffset + row * push.inStride + part * push.inPartStride;
    const uint to = push.outOffset + row * push.outStride + part * push.outPartStride;
    const uint first = gl_LocalInvocationID.x;
    const uint hop = gl_WorkGroupSize.x;

    float mean = 0.0;
    if (KIND == 1u) {
        for (uint i = first; i < push.width; i += hop)
            mean += arenaAt(from + i);
        mean = groupSum(mean) / float(push.width);
    }
    float squares = 0.0;
    for (uint i = first; i < push.width; i += hop) {
        const float distance = arenaAt(from + i) - mean;
        squares += distance * distance;
    }
    squares = groupSum(squares);
    const float scale = 1.0 / sqrt(squares / float(push.width) + push.epsilon);
    for (uint i = first; i < push.width; i += hop) {
        float value = (arenaAt(from + i) - mean) * scale;
        if (push.weightOffset != LOADER_NONE) value *= vectors[push.weightOffset + i];
        if (push.biasOffset != LOADER_NONE) value += vectors[push.biasOffset + i];
        if (push.accumulate != 0u) value += arenaAt(to + i);
        setArena(to + i, value);
    }
}
