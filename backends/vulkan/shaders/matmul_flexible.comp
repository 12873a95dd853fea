// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What matmul_matrix.comp does, where a matrix may be as large as what a subgroup works on: one multiplication for each
// step of 32 columns, which the driver cuts for its units, and sums that are stored from where they are, without a
// way through shared memory.
// Constants: 0 local size, at least subgroups × the largest subgroup; 1 TYPE; 2 rows and 3 tokens of a tile, 4 rows
// and 5 tokens of a subgroup. 4 and 5 divide 2 and 3 and are multiples of what the device tells; so is 32 of columns.
// Grid: x, z tiles of rows, number x + z × x groups; y tiles of tokens.
// Shared memory, bytes: 80 × (rows + tokens of a tile) + 8.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_NV_cooperative_matrix2 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint TYPE = 0;
layout(constant_id = 2) const uint TILE_ROWS = 64;
layout(constant_id = 3) const uint TILE_TOKENS = 64;
layout(constant_id = 4) const uint PART_ROWS = 32;
layout(constant_id = 5) const uint PART_TOKENS = 32;

#include "product.glsl"
#include "weights.glsl"
#include "tile_matrix.glsl"

const uint COLUMNS = 32u;
const uint PARTS_DOWN = TILE_ROWS / PART_ROWS;
const uint PARTS = PARTS_DOWN * (TILE_TOKENS / PART_TOKENS);

// Of this subgroup's part; where a device has more subgroups than parts, the others only decode.
coopmat<float, gl_ScopeSubgroup, PART_ROWS, PART_TOKENS, gl_MatrixUseAccumulator> sums;

void addTile(uint row, uint token) {
    coopmat<float16_t, gl_ScopeSubgroup, PART_ROWS, COLUMNS, gl_MatrixUseA> weights;
    coopmat<float16_t, gl_ScopeSubgroup, COLUMNS, PART_TOKENS, gl_MatrixUseB> x;
    coopMatLoad(weights, weightTile, row * TILE_STRIDE, TILE_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(x, xTile, token * TILE_STRIDE, TILE_STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
    sums = coopMatMulAdd(weights, x, sums);
}

// For each sum by itself; what it returns is not used.
float storeSum(const in uint partRow, const in uint partToken, const in float sum, const in uint firstRow,
               const in uint firstToken) {
    const uint row = firstRow + partRow;
    const uint token = firstToken + partToken;
    if (row < push.rows && token < push.tokens) {
        const float value = activated(push.activation, withBias(unscaled(sum), row));
        storeProduct(push.outOffset + token * push.outStride + row, value);
    }
    return sum;
}

void main() {
    const uint firstRow = (gl_WorkGroupID.x + gl_WorkGroupID.z * gl_NumWorkGroups.x) * TILE_ROWS;
    const uint firstToken = gl_WorkGroupID.y * TILE_TOKENS;
    if (firstRow >= push.rows || firstToken >= push.tokens) return;

    const uint part = gl_SubgroupID;
    const uint row = part % PARTS_DOWN * PART_ROWS;
    const uint token = part / PARTS_DOWN * PART_TOKENS;
    sums = coopmat<float, gl_ScopeSubgroup, PART_ROWS, PART_TOKENS, gl_MatrixUseAccumulator>(0.0);
    clearScales();
    const uint steps = (push.columns + COLUMNS - 1u) / COLUMNS;
    for (uint step32 = 0u; step32 < steps; ++step32) {
        bool fits = false;
        while (!fits) {
            stageTiles(firstRow, firstToken, step32);
            barrier();
            // See matmul_matrix.comp.
            const float factor = newScales();
            fits = factor == 1.0;
            if (!fits) sums = sums * factor;
        }
        if (part < PARTS) addTile(row, token);
        barrier();
    }
    if (part < PARTS) coopMatPerElementNV(sums, sums, storeSum, firstRow + row, firstToken + token);
}
