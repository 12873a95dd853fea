// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Turns query and key by the cosines and sines of the step, and appends key and value to the KV cache. Queries turn
// where they lie in the arena; keys and values are stored only.
// Constants: 0 local size, 1 PAIRS (0 adjacent, 1 halves), 2 KV, see kv_rows.glsl.
// Grid: x tokens, y max(heads, kvHeads). keyLength and valueLength are even, and at most 1024.
// Shared memory: 4096 bytes.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint PAIRS = 0;
layout(constant_id = 2) const uint KV = 0;

#include "buffers.glsl"
#include "kv_rows.glsl"

layout(set = 2, binding = 0) writeonly buffer Keys {
    uint keyWords[];
};
layout(set = 2, binding = 1) writeonly buffer Values {
    uint valueWords[];
};

layout(push_constant) uniform Push {
    RopePush push;
};

// The head that is about to be stored.
shared float head[1024];

// Both places of a pair.
uvec2 placesOf(uint pair) {
    return PAIRS == 0u ? uvec2(2u * pair, 2u * pair + 1u) : uvec2(pair, pair + push.pairs);
}

vec2 turned(uint token, uint pair, float x, float y) {
    const uint at = push.tableOffset + (token * push.pairs + pair) * 2u;
    const float cosine = uintBitsToFloat(stepWords[at]);
    const float sine = uintBitsToFloat(stepWords[at + 1u]);
    return vec2(x * cosine - y * sine, x * sine + y * cosine);
}

void turnQuery(uint token, uint base) {
    for (uint pair = gl_LocalInvocationID.x; pair < push.pairs; pair += gl_WorkGroupSize.x) {
        const uvec2 places = base + placesOf(pair);
        const vec2 result = turned(token, pair, arenaAt(places.x), arenaAt(places.y));
        setArena(places.x, result.x);
        setArena(places.y, result.y);
    }
}

void loadKey(uint token, uint base) {
    for (uint pair = gl_LocalInvocationID.x; pair < push.pairs; pair += gl_WorkGroupSize.x) {
        const uvec2 places = placesOf(pair);
        const vec2 result = turned(token, pair, arenaAt(base + places.x), arenaAt(base + places.y));
        head[places.x] = result.x;
        head[places.y] = result.y;
    }
    for (uint i = 2u * push.pairs + gl_LocalInvocationID.x; i < push.keyLength; i += gl_WorkGroupSize.x)
        head[i] = arenaAt(base + i);
}

float headAt(uint index, uint count) {
    return index < count ? head[index] : 0.0;
}

// Rounds half away from zero, as ggml does.
uint quantByte(float scaled) {
    return uint(int(sign(scaled) * floor(abs(scaled) + 0.5))) & 255u;
}

// The four bytes of a unit of Q8_0, and the scale of its block.
uint quantised(uint unit, uint count, out float scale) {
    const uint first = unit / 8u * 32u;
    float greatest = 0.0;
    for (uint i = 0u; i < 32u; ++i)
        greatest = max(greatest, abs(headAt(first + i, count)));
    const float exact = greatest / 127.0;
    const float inverse = exact > 0.0 ? 1.0 / exact : 0.0;
    // A scale beyond half precision would be infinite.
    scale = halfToFloat(floatToHalf(min(exact, 65504.0)));
    uint word = 0u;
    for (uint i = 0u; i < 4u; ++i)
        word |= quantByte(clamp(headAt(unit * 4u + i, count) * inverse, -127.0, 127.0)) << (8u * i);
    return word;
}

// The word of a unit of the head in shared memory; of Q8_0 also the scale.
uint encoded(uint unit, uint count, out float scale) {
    scale = 0.0;
    if (KV == KV_F16) return floatToHalf(headAt(unit * 2u, count)) | (floatToHalf(headAt(unit * 2u + 1u, count)) << 16);
    if (KV == KV_Q8_0) return quantised(unit, count, scale);
    return floatBitsToUint(head[unit]);
}

uint units(uint count) {
    return KV == KV_Q8_0 ? (count + 31u) / 32u * 8u : (count + KV_UNIT - 1u) / KV_UNIT;
}

void main() {
    const uint token = gl_WorkGroupID.x;
    const uint number = gl_WorkGroupID.y;
    if (token >= push.tokens) return;
    if (number < push.heads) turnQuery(token, push.queryOffset + token * push.queryStride + number * push.keyLength);
    if (number >= push.kvHeads) return;

    const StepItem item = itemOf(token);
    const uint row = (item.sequence * push.kvHeads + number) * push.contextTokens + item.position;
    float scale;
    loadKey(token, push.keyOffset + token * push.keyStride + number * push.keyLength);
    barrier();
    const uint keyRow = row * kvRowWords(push.keyLength);
    for (uint unit = gl_LocalInvocationID.x; unit < units(push.keyLength); unit += gl_WorkGroupSize.x) {
        keyWords[keyRow + kvUnitWord(unit)] = encoded(unit, push.keyLength, scale);
        if (KV == KV_Q8_0 && unit % 8u == 0u) keyWords[keyRow + kvScaleWord(unit)] = floatBitsToUint(scale);
    }
    barrier();
    const uint value = push.valueOffset + token * push.valueStride + number * push.valueLength;
    for (uint i = gl_LocalInvocationID.x; i < push.valueLength; i += gl_WorkGroupSize.x)
        head[i] = arenaAt(value + i);
    barrier();
    const uint valueRow = row * kvRowWords(push.valueLength);
    for (uint unit = gl_LocalInvocationID.x; unit < units(push.valueLength); unit += gl_WorkGroupSize.x) {
        valueWords[valueRow + kvUnitWord(unit)] = encoded(unit, push.valueLength, scale);
        if (KV == KV_Q8_0 && unit % 8u == 0u) valueWords[valueRow + kvScaleWord(unit)] = floatBitsToUint(scale);
    }
}
