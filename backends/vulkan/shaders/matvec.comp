// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of weights times up to eight rows of x: each workgroup reads ROWS rows of a window once, all of its
// invocations along the columns.
// Constants: 0 local size, 1 TYPE, 2 TOKENS (1 to 8), 3 ROWS, 4 PAIR. With PAIR, set 3 holds the gate and
// out = activate(gate · x) × (up · x); the gate has no bias. Set 3 has to be bound in any case.
// Grid: x, z groups of ROWS rows, number x + z × x groups; y ceil(tokens / TOKENS), or with routing
// tokens × used and TOKENS 1.
// Shared memory, bytes: fp32 4 × ROWS × (1 + PAIR) × local size; others 4 × ROWS × (1 + PAIR) × TOKENS ×
// ceil(local size / 4).
// INT8: x is what quantise.comp makes; quantised types only.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef FP16
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint TYPE = 0;
layout(constant_id = 2) const uint TOKENS = 1;
layout(constant_id = 3) const uint ROWS = 4;
layout(constant_id = 4) const uint PAIR = 0;

#define SECOND_WEIGHT
#include "product.glsl"
#include "weights.glsl"
#ifdef INT8
#include "int8_dot.glsl"
#endif

const uint WEIGHTS = ROWS * (1 + PAIR);
#ifdef FP16
shared float partialSums[((gl_WorkGroupSize.x + 3) / 4) * WEIGHTS * TOKENS];
#else
shared float partialSums[gl_WorkGroupSize.x * WEIGHTS];
#endif

// What this workgroup works on; the same for all of its invocations.
struct Place {
    uint firstRow;
    uint firstToken;
    uint part;
    /// Number of the expert's slice in the window.
    uint slice;
    bool wanted;
};

Place findPlace() {
    const uint group = gl_WorkGroupID.x + gl_WorkGroupID.z * gl_NumWorkGroups.x;
    Place place = Place(group * ROWS, gl_WorkGroupID.y * TOKENS, 0u, 0u, true);
    place.wanted = place.firstRow < push.rows;
    if (push.routingOffset != LOADER_NONE) {
        place.firstToken = gl_WorkGroupID.y / push.used;
        place.part = gl_WorkGroupID.y % push.used;
        if (place.firstToken < push.tokens) {
            const uint at = push.routingOffset + place.firstToken * push.routingStride + place.part;
            place.slice = uint(arenaAt(at)) - push.firstExpert;
            place.wanted = place.wanted && place.slice < push.expertCount;
        }
    }
    place.wanted = place.wanted && place.firstToken < push.tokens;
    return place;
}

// Of one invocation. No arguments: compilers copy arrays whose size is a specialization constant wrongly.
uint starts[ROWS];
uint bases[TOKENS];
float sums[WEIGHTS * TOKENS];

// The bytes where the rows begin; rows behind the last repeat it and are not stored.
void findRows(Place place) {
    [[unroll]] for (uint r = 0u; r < ROWS; ++r) {
        starts[r] = place.slice * push.sliceBytes + min(place.firstRow + r, push.rows - 1u) * push.rowBytes;
    }
}

void findX(Place place) {
    [[unroll]] for (uint t = 0u; t < TOKENS; ++t) {
        const uint token = min(place.firstToken + t, push.tokens - 1u);
        bases[t] = push.xOffset + gatheredRow(push.gatherOffset, token) * push.xStride + place.part * push.xPartStride;
    }
}

// Which of both buffers a weight of this workgroup is in. One place that decodes instead of two: modules stay
// small, and unrolling makes a constant of it.
uint bufferOf(uint weight) {
    return PAIR == 0u ? 0u : weight / ROWS;
}

#ifdef INT8
int xBytes[TOKENS * 8];
float xScales[TOKENS];
// Of eight bytes each.
int xSums[TOKENS * 4];

void loadBlock(uint block) {
    [[unroll]] for (uint t = 0u; t < TOKENS; ++t) {
        const uint at = bases[t] + block * FORM_WORDS;
        [[unroll]] for (uint i = 0u; i < 8u; ++i)
            xBytes[t * 8u + i] = int(arenaWords[at + i]);
        xScales[t] = arenaAt(at + FORM_SCALE);
        if (!HAS_OFFSET) continue;
        [[unroll]] for (uint g = 0u; g < 4u; ++g)
            xSums[t * 4u + g] = sumOfBytes(xBytes[t * 8u + g * 2u]) + sumOfBytes(xBytes[t * 8u + g * 2u + 1u]);
    }
}

void addBlock(uint which, uint start, uint block, uint weight) {
    [[unroll]] for (uint g = 0u; g < 4u; ++g) {
        const Group coded = decodeGroup(which, start, block * 4u + g);
        [[unroll]] for (uint t = 0u; t < TOKENS; ++t) {
            const int products =
                dotBytes(coded.low, xBytes[t * 8u + g * 2u]) + dotBytes(coded.high, xBytes[t * 8u + g * 2u + 1u]);
            float sum = coded.scale * float(products);
            if (HAS_OFFSET) sum += coded.offset * float(xSums[t * 4u + g]);
            sums[t * WEIGHTS + weight] += xScales[t] * sum;
        }
    }
}

// A block of 32 columns at a time.
void addProducts() {
    const uint blocks = push.columns / 32u;
    for (uint block = gl_LocalInvocationID.x; block < blocks; block += gl_WorkGroupSize.x) {
        loadBlock(block);
        [[unroll]] for (uint w = 0u; w < WEIGHTS; ++w)
            addBlock(bufferOf(w), starts[w % ROWS], block, w);
    }
}
#else
vec4 lows[TOKENS];
vec4 highs[TOKENS];

void addGroup(uint which, uint start, uint group, uint weight) {
    vec4 low;
    vec4 high;
    decodeValues(which, start, group, push.columns, low, high);
    [[unroll]] for (uint t = 0u; t < TOKENS; ++t)
        sums[t * WEIGHTS + weight] += dot(low, lows[t]) + dot(high, highs[t]);
}

// Eight columns at a time: neighbours read neighbouring words.
void addProducts() {
    const uint groups = (push.columns + 7u) / 8u;
    for (uint group = gl_LocalInvocationID.x; group < groups; group += gl_WorkGroupSize.x) {
        [[unroll]] for (uint t = 0u; t < TOKENS; ++t)
            loadX(bases[t], group * 8u, lows[t], highs[t]);
        [[unroll]] for (uint w = 0u; w < WEIGHTS; ++w)
            addGroup(bufferOf(w), starts[w % ROWS], group, w);
    }
}
#endif

// Row r and token t of this workgroup, from finished sums.
void store(Place place, uint r, uint t, float first, float second) {
    const uint row = place.firstRow + r;
    const uint token = place.firstToken + t;
    if (row >= push.rows || token >= push.tokens) return;
    // Slices lie one behind the other in the vectors as in the window.
    float value = withBias(first, place.slice * push.rows + row);
    value = PAIR != 0u ? activated(push.activation, second) * value : activated(push.activation, value);
    storeProduct(push.outOffset + token * push.outStride + place.part * push.outPartStride + row, value);
}

#ifdef FP16
// First over subgroups, of any size from 4 on, then over what is left of each.
void storeSums(Place place) {
    [[unroll]] for (uint i = 0u; i < WEIGHTS * TOKENS; ++i) {
        const float sum = subgroupAdd(sums[i]);
        if (subgroupElect()) partialSums[gl_SubgroupID * WEIGHTS * TOKENS + i] = sum;
    }
    barrier();
    for (uint i = gl_LocalInvocationID.x; i < ROWS * TOKENS; i += gl_WorkGroupSize.x) {
        const uint at = (i / ROWS) * WEIGHTS + i % ROWS;
        float first = 0.0;
        float second = 0.0;
        for (uint s = 0u; s < gl_NumSubgroups; ++s) {
            first += partialSums[s * WEIGHTS * TOKENS + at];
            if (PAIR != 0u) second += partialSums[s * WEIGHTS * TOKENS + at + ROWS];
        }
        store(place, i % ROWS, i / ROWS, first, second);
    }
}
#else
// Token by token, all rows of a token at once.
void storeSums(Place place) {
    const uint lane = gl_LocalInvocationID.x;
    [[unroll]] for (uint t = 0u; t < TOKENS; ++t) {
        [[unroll]] for (uint w = 0u; w < WEIGHTS; ++w)
            partialSums[w * gl_WorkGroupSize.x + lane] = sums[t * WEIGHTS + w];
        barrier();
        for (uint count = gl_WorkGroupSize.x; count > 1u;) {
            const uint upper = (count + 1u) / 2u;
            if (lane + upper < count) {
                [[unroll]] for (uint w = 0u; w < WEIGHTS; ++w) {
                    const uint at = w * gl_WorkGroupSize.x + lane;
                    partialSums[at] += partialSums[at + upper];
                }
            }
            count = upper;
            barrier();
        }
        for (uint r = lane; r < ROWS; r += gl_WorkGroupSize.x) {
            const float second = PAIR != 0u ? partialSums[(ROWS + r) * gl_WorkGroupSize.x] : 0.0;
            store(place, r, t, partialSums[r * gl_WorkGroupSize.x], second);
        }
        barrier();
    }
}
#endif

void main() {
    const Place place = findPlace();
    if (!place.wanted) return;
    findRows(place);
    findX(place);
    [[unroll]] for (uint i = 0u; i < WEIGHTS * TOKENS; ++i)
        sums[i] = 0.0;
    addProducts();
    storeSums(place);
}
