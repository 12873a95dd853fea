// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The K types: blocks of 256 with packed scales of sub-blocks. Part of weights.glsl.

Group groupQ2_K(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 84u;
    const uint sub = (group & 31u) >> 1;
    const uint quants = at + 16u + (sub >> 3) * 32u + (group & 3u) * 8u;
    const uint shift = (sub & 7u) >> 1 << 1;
    const uint low = (wordAt(which, quants) >> shift) & 0x03030303u;
    const uint high = (wordAt(which, quants + 4u) >> shift) & 0x03030303u;
    const uint packed4 = byteAt(which, at + sub);
    return Group(int(low), int(high), halfAt(which, at + 80u) * float(packed4 & 15u),
                 -halfAt(which, at + 82u) * float(packed4 >> 4));
}

Group groupQ3_K(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 110u;
    const uint sub = (group & 31u) >> 1;
    const uint place = (group & 3u) * 8u;
    const uint quants = at + 32u + (sub >> 3) * 32u + place;
    const uint shift = (sub & 7u) >> 1 << 1;
    const uint bit = sub >> 1;
    const uint low = ((wordAt(which, quants) >> shift) & 0x03030303u) |
                     (((wordAt(which, at + place) >> bit) & 0x01010101u) << 2);
    const uint high = ((wordAt(which, quants + 4u) >> shift) & 0x03030303u) |
                      (((wordAt(which, at + place + 4u) >> bit) & 0x01010101u) << 2);
    const uint lowScale = (byteAt(which, at + 96u + (sub & 7u)) >> ((sub >> 3) * 4u)) & 15u;
    const uint highScale = (byteAt(which, at + 104u + (sub & 3u)) >> ((sub >> 2) * 2u)) & 3u;
    const int subScale = int(lowScale | (highScale << 4)) - 32;
    return Group(bytesLess(low, 4u), bytesLess(high, 4u), halfAt(which, at + 108u) * float(subScale), 0.0);
}

Group groupQ4_K(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 144u;
    const uint sub = (group & 31u) >> 2;
    const uint quants = at + 16u + (sub >> 1) * 32u + (group & 3u) * 8u;
    const uint shift = (sub & 1u) * 4u;
    const uint low = (wordAt(which, quants) >> shift) & 0x0F0F0F0Fu;
    const uint high = (wordAt(which, quants + 4u) >> shift) & 0x0F0F0F0Fu;
    const uvec2 scales = scaleAndMinimum(which, at + 4u, sub);
    return Group(int(low), int(high), halfAt(which, at) * float(scales.x), -halfAt(which, at + 2u) * float(scales.y));
}

Group groupQ5_K(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 176u;
    const uint sub = (group & 31u) >> 2;
    const uint place = (group & 3u) * 8u;
    const uint quants = at + 48u + (sub >> 1) * 32u + place;
    const uint shift = (sub & 1u) * 4u;
    const uint low = ((wordAt(which, quants) >> shift) & 0x0F0F0F0Fu) |
                     (((wordAt(which, at + 16u + place) >> sub) & 0x01010101u) << 4);
    const uint high = ((wordAt(which, quants + 4u) >> shift) & 0x0F0F0F0Fu) |
                      (((wordAt(which, at + 20u + place) >> sub) & 0x01010101u) << 4);
    const uvec2 scales = scaleAndMinimum(which, at + 4u, sub);
    return Group(int(low), int(high), halfAt(which, at) * float(scales.x), -halfAt(which, at + 2u) * float(scales.y));
}

Group groupQ6_K(uint which, uint row, uint group) {
    const uint at = row + (group >> 5) * 210u;
    const uint inBlock = group & 31u;
    const uint upper = inBlock >> 4;
    const uint quarter = (inBlock >> 2) & 3u;
    const uint place = (group & 3u) * 8u;
    const uint lows = at + upper * 64u + (quarter & 1u) * 32u + place;
    const uint highs = at + 128u + upper * 32u + place;
    const uint lowShift = (quarter >> 1) * 4u;
    const uint highShift = quarter * 2u;
    const uint low = ((wordAt(which, lows) >> lowShift) & 0x0F0F0F0Fu) |
                     (((wordAt(which, highs) >> highShift) & 0x03030303u) << 4);
    const uint high = ((wordAt(which, lows + 4u) >> lowShift) & 0x0F0F0F0Fu) |
                      (((wordAt(which, highs + 4u) >> highShift) & 0x03030303u) << 4);
    const int subScale = bitfieldExtract(int(byteAt(which, at + 192u + (inBlock >> 1))), 0, 8);
    return Group(bytesLess(low, 32u), bytesLess(high, 32u), halfAt(which, at + 208u) * float(subScale), 0.0);
}
