// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Causal attention with grouped queries: the rows of a workgroup are HEADS heads of one KV head for TOKENS tokens,
// and share each tile of keys and values. A row whose range of positions is empty gives zeros.
// Constants: 0 local size, 1 KV, see kv_rows.glsl, 2 HEADS (divides heads / kvHeads), 3 TOKENS (1 where sequences
// mix), 4 TILE of positions, 5 KEY_LENGTH, 6 VALUE_LENGTH.
// Grid: x kvHead × (heads / kvHeads / HEADS) + chunk of heads, y ceil(tokens / TOKENS), z splits: split s takes the
// s-th equal part of the positions and leaves its sums for attend_merge.
// Shared memory, bytes: 4 × (TILE × (greater length + 1) + ROWS × KEY_LENGTH + ROWS × TILE + max(ROWS × TILE,
// local size) + 5 × ROWS) with ROWS = HEADS × TOKENS; at lengths of 256, 16 positions and 8 rows 25824.
// @source Milakov & Gimelshein 2018, softmax in one pass
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint KV = 0;
layout(constant_id = 2) const uint HEADS = 1;
layout(constant_id = 3) const uint TOKENS = 1;
layout(constant_id = 4) const uint TILE = 32;
layout(constant_id = 5) const uint KEY_LENGTH = 128;
layout(constant_id = 6) const uint VALUE_LENGTH = 128;

#include "activation.glsl"
#include "attend_parts.glsl"
#include "buffers.glsl"
#include "kv_rows.glsl"

layout(set = 2, binding = 0) readonly restrict buffer Keys {
    uint keyWords[];
};
layout(set = 2, binding = 1) readonly restrict buffer Values {
    uint valueWords[];
};

layout(push_constant) uniform Push {
    AttendPush push;
};

const uint ROWS = HEADS * TOKENS;
// One longer than a vector, so that neighbours read different banks.
const uint TILE_STRIDE = (KEY_LENGTH > VALUE_LENGTH ? KEY_LENGTH : VALUE_LENGTH) + 1;
const uint PAIRS = ROWS * TILE;
// Invocations that share one product of query and key.
const uint SLICES = PAIRS < gl_WorkGroupSize.x ? gl_WorkGroupSize.x / PAIRS : 1;
// Sums of one invocation.
const uint OWNED = (ROWS * VALUE_LENGTH + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;

shared float tile[TILE * TILE_STRIDE];
shared float queries[ROWS * KEY_LENGTH];
shared float slices[PAIRS * SLICES];
// First the scores, then their weights.
shared float scores[PAIRS];
shared float greatest[ROWS];
shared float factors[ROWS];
shared float totals[ROWS];
shared uint begins[ROWS];
shared uint ends[ROWS];

float sums[OWNED];

// Of the workgroup.
struct Place {
    uint kvHead;
    uint firstHead;
    uint firstToken;
    uint sequence;
};

Place findPlace() {
    const uint chunks = push.heads / push.kvHeads / HEADS;
    Place place;
    place.kvHead = gl_WorkGroupID.x / chunks;
    place.firstHead = gl_WorkGroupID.x * HEADS;
    place.firstToken = gl_WorkGroupID.y * TOKENS;
    place.sequence = itemOf(min(place.firstToken, push.tokens - 1u)).sequence;
    return place;
}

void loadQueries(Place place) {
    for (uint i = gl_LocalInvocationID.x; i < ROWS * KEY_LENGTH; i += gl_WorkGroupSize.x) {
        const uint row = i / KEY_LENGTH;
        const uint token = min(place.firstToken + row / HEADS, push.tokens - 1u);
        const uint head = place.firstHead + row % HEADS;
        queries[i] = arenaAt(push.queryOffset + token * push.queryStride + head * KEY_LENGTH + i % KEY_LENGTH);
    }
}

// The positions that each row sees; a row behind the last token sees none.
void findRanges(Place place) {
    for (uint row = gl_LocalInvocationID.x; row < ROWS; row += gl_WorkGroupSize.x) {
        const uint token = place.firstToken + row / HEADS;
        const StepItem item = itemOf(min(token, push.tokens - 1u));
        const bool windowed = push.window != 0u && item.position + 1u > push.window;
        begins[row] = windowed ? item.position + 1u - push.window : 0u;
        ends[row] = token < push.tokens ? min(item.visibleEnd, push.contextTokens) : 0u;
        greatest[row] = ATTEND_LEAST;
        totals[row] = 0.0;
    }
}

// The part of all rows' positions that this split takes.
uvec2 findSplit() {
    uint begin = 0xFFFFFFFFu;
    uint end = 0u;
    for (uint row = 0u; row < ROWS; ++row) {
        if (begins[row] >= ends[row]) continue;
        begin = min(begin, begins[row]);
        end = max(end, ends[row]);
    }
    if (begin >= end) return uvec2(0u);
    const uint each = (end - begin + push.splits - 1u) / push.splits;
    const uint from = begin + each * gl_WorkGroupID.z;
    return uvec2(min(from, end), min(from + each, end));
}

void stageKeys(uint firstRow, uint count) {
    const uint units = (KEY_LENGTH + KV_UNIT - 1u) / KV_UNIT;
    for (uint i = gl_LocalInvocationID.x; i < count * units; i += gl_WorkGroupSize.x) {
        const uint unit = i % units;
        const uint row = (firstRow + i / units) * kvRowWords(KEY_LENGTH);
        const float scale = KV == KV_Q8_0 ? uintBitsToFloat(keyWords[row + kvScaleWord(unit)]) : 1.0;
        const vec4 values = kvDecode(keyWords[row + kvUnitWord(unit)], scale);
        const uint at = (i / units) * TILE_STRIDE + unit * KV_UNIT;
        [[unroll]] for (uint k = 0u; k < KV_UNIT; ++k) {
            if (unit * KV_UNIT + k < KEY_LENGTH) tile[at + k] = values[k];
        }
    }
}

void stageValues(uint firstRow, uint count) {
    const uint units = (VALUE_LENGTH + KV_UNIT - 1u) / KV_UNIT;
    for (uint i = gl_LocalInvocationID.x; i < count * units; i += gl_WorkGroupSize.x) {
        const uint unit = i % units;
        const uint row = (firstRow + i / units) * kvRowWords(VALUE_LENGTH);
        const float scale = KV == KV_Q8_0 ? uintBitsToFloat(valueWords[row + kvScaleWord(unit)]) : 1.0;
        const vec4 values = kvDecode(valueWords[row + kvUnitWord(unit)], scale);
        const uint at = (i / units) * TILE_STRIDE + unit * KV_UNIT;
        [[unroll]] for (uint k = 0u; k < KV_UNIT; ++k) {
            if (unit * KV_UNIT + k < VALUE_LENGTH) tile[at + k] = values[k];
        }
    }
}

// Products of queries and keys, in slices.
void multiplyKeys(uint count) {
    for (uint i = gl_LocalInvocationID.x; i < PAIRS * SLICES; i += gl_WorkGroupSize.x) {
        const uint row = i / SLICES / TILE;
        const uint position = i / SLICES % TILE;
        float sum = 0.0;
        if (position < count) {
            for (uint k = i % SLICES; k < KEY_LENGTH; k += SLICES)
                sum += queries[row * KEY_LENGTH + k] * tile[position * TILE_STRIDE + k];
        }
        slices[i] = sum;
    }
}

bool visible(uint row, uint position) {
    return position >= begins[row] && position < ends[row];
}

// Adds the slices of each product.
void finishScores(uint first, uint count) {
    for (uint i = gl_LocalInvocationID.x; i < PAIRS; i += gl_WorkGroupSize.x) {
        float sum = 0.0;
        for (uint s = 0u; s < SLICES; ++s)
            sum += slices[i * SLICES + s];
        const bool seen = i % TILE < count && visible(i / TILE, first + i % TILE);
        scores[i] = seen ? softcapped(push.softcap, push.scale * sum) : ATTEND_LEAST;
    }
}

// The greatest score so far, and what the sums so far are worth now.
void raiseGreatest() {
    for (uint row = gl_LocalInvocationID.x; row < ROWS; row += gl_WorkGroupSize.x) {
        float most = greatest[row];
        for (uint i = 0u; i < TILE; ++i)
            most = max(most, scores[row * TILE + i]);
        factors[row] = exp(max(greatest[row] - most, -1000.0));
        greatest[row] = most;
    }
}

void weighScores() {
    for (uint i = gl_LocalInvocationID.x; i < PAIRS; i += gl_WorkGroupSize.x) {
        const float score = scores[i];
        scores[i] = score <= ATTEND_LEAST ? 0.0 : exp(max(score - greatest[i / TILE], -1000.0));
    }
}

void addValues(uint count) {
    for (uint row = gl_LocalInvocationID.x; row < ROWS; row += gl_WorkGroupSize.x) {
        float total = totals[row] * factors[row];
        for (uint i = 0u; i < TILE; ++i)
            total += scores[row * TILE + i];
        totals[row] = total;
    }
    [[unroll]] for (uint k = 0u; k < OWNED; ++k) {
        const uint i = gl_LocalInvocationID.x + k * gl_WorkGroupSize.x;
        if (i >= ROWS * VALUE_LENGTH) continue;
        const uint row = i / VALUE_LENGTH;
        float sum = sums[k] * factors[row];
        for (uint position = 0u; position < count; ++position)
            sum += scores[row * TILE + position] * tile[position * TILE_STRIDE + i % VALUE_LENGTH];
        sums[k] = sum;
    }
}

void addTile(Place place, uint first, uint count) {
    const uint kvRow = (place.sequence * push.kvHeads + place.kvHead) * push.contextTokens + first;
    stageKeys(kvRow, count);
    barrier();
    multiplyKeys(count);
    barrier();
    finishScores(first, count);
    stageValues(kvRow, count);
    barrier();
    raiseGreatest();
    barrier();
    weighScores();
    barrier();
    addValues(count);
    barrier();
}

void storeRows(Place place) {
    [[unroll]] for (uint k = 0u; k < OWNED; ++k) {
        const uint i = gl_LocalInvocationID.x + k * gl_WorkGroupSize.x;
        if (i >= ROWS * VALUE_LENGTH) continue;
        const uint row = i / VALUE_LENGTH;
        const uint column = i % VALUE_LENGTH;
        const uint token = place.firstToken + row / HEADS;
        const uint head = place.firstHead + row % HEADS;
        if (token >= push.tokens) continue;
        if (push.splits == 1u) {
            const float value = totals[row] > 0.0 ? sums[k] / totals[row] : 0.0;
            setArena(push.outOffset + token * push.outStride + head * VALUE_LENGTH + column, value);
            continue;
        }
        const uint at = partAt(push, token, head, gl_WorkGroupID.z);
        setArena(at + column, sums[k]);
        if (column == 0u) {
            setArena(at + VALUE_LENGTH, greatest[row]);
            setArena(at + VALUE_LENGTH + 1u, totals[row]);
        }
    }
}

void main() {
    const Place place = findPlace();
    if (place.firstToken >= push.tokens || place.kvHead >= push.kvHeads) return;
    [[unroll]] for (uint k = 0u; k < OWNED; ++k)
        sums[k] = 0.0;
    loadQueries(place);
    findRanges(place);
    barrier();
    const uvec2 range = findSplit();
    for (uint first = range.x; first < range.y; first += TILE)
        addTile(place, first, min(TILE, range.y - first));
    storeRows(place);
}
