// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Sums and greatest values over a workgroup of any size. Every invocation has to call them, and gets the result.
#ifndef REDUCE_GLSL
#define REDUCE_GLSL

shared float reduceScratch[gl_WorkGroupSize.x];

// Leaves scratch free for the next call.
float groupSum(float value) {
    const uint lane = gl_LocalInvocationID.x;
    reduceScratch[lane] = value;
    barrier();
    for (uint count = gl_WorkGroupSize.x; count > 1u;) {
        const uint upper = (count + 1u) / 2u;
        if (lane + upper < count) reduceScratch[lane] += reduceScratch[lane + upper];
        count = upper;
        barrier();
    }
    const float total = reduceScratch[0];
    barrier();
    return total;
}

float groupGreatest(float value) {
    const uint lane = gl_LocalInvocationID.x;
    reduceScratch[lane] = value;
    barrier();
    for (uint count = gl_WorkGroupSize.x; count > 1u;) {
        const uint upper = (count + 1u) / 2u;
        if (lane + upper < count) reduceScratch[lane] = max(reduceScratch[lane], reduceScratch[lane + upper]);
        count = upper;
        barrier();
    }
    const float greatest = reduceScratch[0];
    barrier();
    return greatest;
}

#endif
