// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The IQ types with codebooks or scales of sub-blocks. Part of weights.glsl.

uvec2 gridPair(uint table, uint index) {
    return uvec2(grids[table + index * 2u], grids[table + index * 2u + 1u]);
}

Group signedGroup(uvec2 magnitudes, uint signs, float scale) {
    return Group(negated(magnitudes.x, signs), negated(magnitudes.y, signs >> 4), scale, 0.0);
}

// The scale of 16 values out of eight bytes of halves, plus a half, in quarters.
float quarterScale(uint which, uint at, uint inBlock) {
    const uint subScale = (byteAt(which, at + (inBlock >> 2)) >> (((inBlock >> 1) & 1u) * 4u)) & 15u;
    return (0.5 + float(subScale)) * 0.25;
}

Group groupIQ2_XXS(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 66u;
    const uint pair = at + 2u + ((group & 31u) >> 2) * 8u;
    const uint signs = wordAt(which, pair + 4u);
    const uvec2 magnitudes = gridPair(LOADER_GRID_IQ2_XXS, byteAt(which, pair + (group & 3u)));
    const float scale = halfAt(which, at) * (0.5 + float(signs >> 28)) * 0.25;
    return signedGroup(magnitudes, signsOf(signs >> (7u * (group & 3u))), scale);
}

Group groupIQ2_XS(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 74u;
    const uint inBlock = group & 31u;
    const uint quant = shortAt(which, at + 2u + inBlock * 2u);
    const float scale = halfAt(which, at) * quarterScale(which, at + 66u, inBlock);
    return signedGroup(gridPair(LOADER_GRID_IQ2_XS, quant & 511u), signsOf(quant >> 9), scale);
}

Group groupIQ2_S(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 82u;
    const uint inBlock = group & 31u;
    const uint high = (byteAt(which, at + 66u + (inBlock >> 2)) >> ((group & 3u) * 2u)) & 3u;
    const uint index = byteAt(which, at + 2u + inBlock) | (high << 8);
    const float scale = halfAt(which, at) * quarterScale(which, at + 74u, inBlock);
    return signedGroup(gridPair(LOADER_GRID_IQ2_S, index), byteAt(which, at + 34u + inBlock), scale);
}

Group groupIQ3_XXS(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 98u;
    const uint inBlock = group & 31u;
    const uint word = wordAt(which, at + 66u + (inBlock >> 2) * 4u);
    const uint indices = shortAt(which, at + 2u + inBlock * 2u);
    const uvec2 magnitudes =
        uvec2(grids[LOADER_GRID_IQ3_XXS + (indices & 255u)], grids[LOADER_GRID_IQ3_XXS + (indices >> 8)]);
    const float scale = halfAt(which, at) * (0.5 + float(word >> 28)) * 0.5;
    return signedGroup(magnitudes, signsOf(word >> (7u * (group & 3u))), scale);
}

Group groupIQ3_S(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 110u;
    const uint inBlock = group & 31u;
    const uint indices = shortAt(which, at + 2u + inBlock * 2u);
    const uint high = byteAt(which, at + 66u + (inBlock >> 2)) >> ((group & 3u) * 2u);
    const uvec2 magnitudes = uvec2(grids[LOADER_GRID_IQ3_S + ((indices & 255u) | ((high & 1u) << 8))],
                                   grids[LOADER_GRID_IQ3_S + ((indices >> 8) | ((high & 2u) << 7))]);
    const uint subScale = (byteAt(which, at + 106u + (inBlock >> 3)) >> (((inBlock >> 2) & 1u) * 4u)) & 15u;
    const float scale = halfAt(which, at) * float(1u + 2u * subScale);
    return signedGroup(magnitudes, byteAt(which, at + 74u + inBlock), scale);
}

// Digits -1, 0 and 1, shifted by an eighth.
Group shiftedGroup(uint index, bool down, float scale) {
    const uvec2 digits = gridPair(LOADER_GRID_IQ1, index);
    return Group(int(digits.x), int(digits.y), scale, down ? -0.125 * scale : 0.125 * scale);
}

Group groupIQ1_S(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 50u;
    const uint inBlock = group & 31u;
    const uint high = shortAt(which, at + 34u + (inBlock >> 2) * 2u);
    const uint index = byteAt(which, at + 2u + inBlock) | (((high >> (3u * (group & 3u))) & 7u) << 8);
    const float scale = halfAt(which, at) * float(2u * ((high >> 12) & 7u) + 1u);
    return shiftedGroup(index, (high & 0x8000u) != 0u, scale);
}

Group groupIQ1_M(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 56u;
    const uint inBlock = group & 31u;
    const uint sub = inBlock >> 1;
    const uint high = (byteAt(which, at + 32u + sub) >> ((group & 1u) * 4u)) & 15u;
    const uint index = byteAt(which, at + inBlock) | ((high & 7u) << 8);
    // The block's scale is spread over the top four bits of the four words of scales.
    const uint firstTwo = wordAt(which, at + 48u);
    const uint lastTwo = wordAt(which, at + 52u);
    const uint whole = ((firstTwo >> 12) & 15u) | ((firstTwo >> 24) & 0xF0u) | ((lastTwo >> 4) & 0xF00u) |
                       ((lastTwo >> 16) & 0xF000u);
    const uint subScale = (shortAt(which, at + 48u + (sub >> 2) * 2u) >> (3u * (sub & 3u))) & 7u;
    return shiftedGroup(index, (high & 8u) != 0u, halfToFloat(whole) * float(2u * subScale + 1u));
}

Group groupIQ4_XS(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 136u;
    const uint sub = (group & 31u) >> 2;
    const uvec2 quants = nibbles(which, at + 8u + sub * 16u, group & 3u);
    const uint low = (byteAt(which, at + 4u + (sub >> 1)) >> ((sub & 1u) * 4u)) & 15u;
    const uint high = (shortAt(which, at + 2u) >> (sub * 2u)) & 3u;
    const int subScale = int(low | (high << 4)) - 32;
    return Group(lookedUp(UNEVEN_VALUES, quants.x), lookedUp(UNEVEN_VALUES, quants.y),
                 halfAt(which, at) * float(subScale), 0.0);
}
