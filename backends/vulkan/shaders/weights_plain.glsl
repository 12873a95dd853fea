// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Types of one scale per block. Part of weights.glsl.

Group groupQ4_0(uint which, uint row, uint group) {
    const uint at = row + (group >> 2) * 18u;
    const uvec2 quants = nibbles(which, at + 2u, group & 3u);
    return Group(bytesLess(quants.x, 8u), bytesLess(quants.y, 8u), halfAt(which, at), 0.0);
}

Group groupQ4_1(uint which, uint row, uint group) {
    const uint at = row + (group >> 2) * 20u;
    const uvec2 quants = nibbles(which, at + 4u, group & 3u);
    return Group(int(quants.x), int(quants.y), halfAt(which, at), halfAt(which, at + 2u));
}

// With the fifth bits, value i in bit i of the word at `bits`.
uvec2 fiveBits(uint which, uint bits, uint quants, uint part) {
    const uint high = byteAt(which, bits + part);
    return nibbles(which, quants, part) | (uvec2(spreadBits(high), spreadBits(high >> 4)) << 4);
}

Group groupQ5_0(uint which, uint row, uint group) {
    const uint at = row + (group >> 2) * 22u;
    const uvec2 quants = fiveBits(which, at + 2u, at + 6u, group & 3u);
    return Group(bytesLess(quants.x, 16u), bytesLess(quants.y, 16u), halfAt(which, at), 0.0);
}

Group groupQ5_1(uint which, uint row, uint group) {
    const uint at = row + (group >> 2) * 24u;
    const uvec2 quants = fiveBits(which, at + 4u, at + 8u, group & 3u);
    return Group(int(quants.x), int(quants.y), halfAt(which, at), halfAt(which, at + 2u));
}

Group groupQ8_0(uint which, uint row, uint group) {
    const uint at = row + (group >> 2) * 34u;
    const uint quants = at + 2u + (group & 3u) * 8u;
    return Group(int(wordAt(which, quants)), int(wordAt(which, quants + 4u)), halfAt(which, at), 0.0);
}

Group groupIQ4_NL(uint which, uint row, uint group) {
    const uint at = row + (group >> 2) * 18u;
    const uvec2 quants = nibbles(which, at + 2u, group & 3u);
    return Group(lookedUp(UNEVEN_VALUES, quants.x), lookedUp(UNEVEN_VALUES, quants.y), halfAt(which, at), 0.0);
}

Group groupMXFP4(uint which, uint row, uint group) {
    const uint at = row + (group >> 2) * 17u;
    const uvec2 quants = nibbles(which, at + 1u, group & 3u);
    return Group(lookedUp(E2M1_VALUES, quants.x), lookedUp(E2M1_VALUES, quants.y),
                 halvedE8m0(byteAt(which, at)), 0.0);
}

// A scale for every 16 values; of 8 bytes of quants, low halves come first.
Group groupNVFP4(uint which, uint row, uint group) {
    const uint at = row + (group >> 3) * 36u;
    const uint sub = (group & 7u) >> 1;
    const uint quants = at + 4u + sub * 8u;
    const uint shift = (group & 1u) * 4u;
    const uint low = (wordAt(which, quants) >> shift) & 0x0F0F0F0Fu;
    const uint high = (wordAt(which, quants + 4u) >> shift) & 0x0F0F0F0Fu;
    return Group(lookedUp(E2M1_VALUES, low), lookedUp(E2M1_VALUES, high), halvedE4m3(byteAt(which, at + sub)),
                 0.0);
}

Group groupTQ1_0(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 54u;
    const uint column = (group & 31u) * 8u;
    uvec2 digits;
    if (column < 240u) {
        const uint digit = column < 160u ? column >> 5 : (column - 160u) >> 4;
        const uint quants = at + (column < 160u ? column & 31u : 32u + (column & 15u));
        digits = uvec2(ternaryDigits(wordAt(which, quants), digit), ternaryDigits(wordAt(which, quants + 4u), digit));
    } else {
        const uint last = wordAt(which, at + 48u);
        const uint digit = (column - 240u) >> 2;
        digits = uvec2(ternaryDigits(last, digit), ternaryDigits(last, digit + 1u));
    }
    return Group(bytesLess(digits.x, 1u), bytesLess(digits.y, 1u), halfAt(which, at + 52u), 0.0);
}

Group groupTQ2_0(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 66u;
    const uint part = (group & 31u) >> 2;
    const uint quants = at + (part >> 2) * 32u + (group & 3u) * 8u;
    const uint shift = (part & 3u) * 2u;
    const uint low = (wordAt(which, quants) >> shift) & 0x03030303u;
    const uint high = (wordAt(which, quants + 4u) >> shift) & 0x03030303u;
    return Group(bytesLess(low, 1u), bytesLess(high, 1u), halfAt(which, at + 64u), 0.0);
}

Group groupQ1_0(uint which, uint row, uint group) {
    const uint at = row + (group >> 4) * 18u;
    const uint bits = byteAt(which, at + 2u + (group & 15u));
    return Group(bytesLess(spreadBits(bits) * 2u, 1u), bytesLess(spreadBits(bits >> 4) * 2u, 1u),
                 halfAt(which, at), 0.0);
}

// Four pairs of bits, each in a byte of its own.
uint spreadPairs(uint bits) {
    return (bits & 3u) | ((bits & 12u) << 6) | ((bits & 48u) << 12) | ((bits & 192u) << 18);
}

Group groupQ2_0(uint which, uint row, uint group) {
    const uint at = row + (group >> 3) * 18u;
    const uint pairs = shortAt(which, at + 2u + (group & 7u) * 2u);
    return Group(bytesLess(spreadPairs(pairs), 1u), bytesLess(spreadPairs(pairs >> 8), 1u), halfAt(which, at),
                 0.0);
}
