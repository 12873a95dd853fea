// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Sorts one chunk of a row and keeps the best as pairs (token, logit), best first; of equal logits the lower token
// comes first, and what is no number counts as minus infinity. What is missing is token 0xFFFFFFFF at minus
// infinity. A first pass also leaves the greatest of the chunk and the sum of exp(x − greatest) in the result; they
// are minus infinity and 0 where nothing is greater than that.
// Constants: 0 local size, 1 CHUNK, a power of two. Grid: x ceil(count / CHUNK), y rows. Pair i of chunk c goes to
// place c × keep + i of the row. Shared memory: 8 bytes × CHUNK + 4 × local size.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint CHUNK = 1024;

#include "buffers.glsl"
#include "reduce.glsl"

layout(set = 0, binding = 4) writeonly buffer Result {
    uint resultWords[];
};

layout(push_constant) uniform Push {
    TopPush push;
};

const uint MINUS_INFINITY = 0xFF800000u;

// Greater for greater logits; unsigned.
shared uint keys[CHUNK];
shared uint tokens[CHUNK];

uint keyOf(uint bits) {
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) bits = MINUS_INFINITY;
    if (bits == 0x80000000u) bits = 0u;
    return (bits & 0x80000000u) != 0u ? ~bits : bits | 0x80000000u;
}

uint logitOf(uint key) {
    return (key & 0x80000000u) != 0u ? key & 0x7FFFFFFFu : ~key;
}

bool isBetter(uint a, uint b) {
    return keys[a] > keys[b] || (keys[a] == keys[b] && tokens[a] < tokens[b]);
}

void loadChunk(uint row, uint first) {
    const uint from = push.inOffset + row * push.inStride;
    for (uint i = gl_LocalInvocationID.x; i < CHUNK; i += gl_WorkGroupSize.x) {
        const uint index = first + i;
        uint token = 0xFFFFFFFFu;
        uint bits = MINUS_INFINITY;
        if (index < push.count) {
            token = push.first != 0u ? index : arenaWords[from + 2u * index];
            bits = push.first != 0u ? arenaWords[from + index] : arenaWords[from + 2u * index + 1u];
        }
        keys[i] = keyOf(bits);
        tokens[i] = token;
    }
    barrier();
}

// @source Batcher 1968, bitonic sorting
void sortChunk() {
    for (uint size = 2u; size <= CHUNK; size *= 2u) {
        for (uint apart = size / 2u; apart > 0u; apart /= 2u) {
            for (uint i = gl_LocalInvocationID.x; i < CHUNK / 2u; i += gl_WorkGroupSize.x) {
                const uint a = i / apart * apart * 2u + i % apart;
                const uint b = a + apart;
                const bool bestFirst = (a & size) == 0u;
                if (isBetter(b, a) == bestFirst) {
                    const uint key = keys[a];
                    const uint token = tokens[a];
                    keys[a] = keys[b];
                    tokens[a] = tokens[b];
                    keys[b] = key;
                    tokens[b] = token;
                }
            }
            barrier();
        }
    }
}

void storeSums(uint row) {
    const float greatest = uintBitsToFloat(logitOf(keys[0]));
    float sum = 0.0;
    for (uint i = gl_LocalInvocationID.x; i < CHUNK; i += gl_WorkGroupSize.x) {
        if (keys[i] == keys[0]) {
            sum += 1.0;
        } else if (logitOf(keys[i]) != MINUS_INFINITY) {
            sum += exp(max(uintBitsToFloat(logitOf(keys[i])) - greatest, -1000.0));
        }
    }
    sum = groupSum(sum);
    if (gl_LocalInvocationID.x != 0u) return;
    const bool nothing = logitOf(keys[0]) == MINUS_INFINITY;
    const uint at = push.sumsOffset + row * push.sumsStride + gl_WorkGroupID.x * 2u;
    resultWords[at] = logitOf(keys[0]);
    resultWords[at + 1u] = floatBitsToUint(nothing ? 0.0 : sum);
}

void main() {
    const uint row = gl_WorkGroupID.y;
    const uint first = gl_WorkGroupID.x * CHUNK;
    if (row >= push.rows) return;
    loadChunk(row, first);
    sortChunk();
    for (uint i = gl_LocalInvocationID.x; i < push.keep; i += gl_WorkGroupSize.x) {
        const uint at = push.outOffset + row * push.outStride + (gl_WorkGroupID.x * push.keep + i) * 2u;
        const uint token = i < CHUNK ? tokens[i] : 0xFFFFFFFFu;
        const uint logit = i < CHUNK ? logitOf(keys[i]) : MINUS_INFINITY;
        if (push.toResult != 0u) {
            resultWords[at] = token;
            resultWords[at + 1u] = logit;
        } else {
            arenaWords[at] = token;
            arenaWords[at + 1u] = logit;
        }
    }
    if (push.first != 0u) storeSums(row);
}
