// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The codebook types (IQ1, IQ2, IQ3) as blocks of 256 small integers; see formats.inl for what the members
// mean. Fractions of the formats' scales (an eighth, a quarter) move into the float scale, so that sub-scales
// are whole numbers.

inline int8x16_t two64(std::uint64_t a, std::uint64_t b) {
    return vcombine_s8(vcreate_s8(a), vcreate_s8(b));
}

/// Negates the values whose bit is set.
inline Int8x32 withSigns(int8x16_t low, int8x16_t high, std::uint32_t signs) {
    const int8x16_t a = vreinterpretq_s8_u8(spreadBits(signs));
    const int8x16_t b = vreinterpretq_s8_u8(spreadBits(signs >> 16));
    return {vsubq_s8(veorq_s8(low, a), a), vsubq_s8(veorq_s8(high, b), b)};
}

/// The sign bits of four indices of seven bits.
inline std::uint32_t indexedSigns(std::uint32_t word) {
    std::uint32_t signs = 0;
    for (int i = 0; i < 4; ++i)
        signs |= static_cast<std::uint32_t>(quant::signMask((word >> (7 * i)) & 127u)) << (8 * i);
    return signs;
}

constexpr std::int32_t oddScale(std::uint32_t s) {
    return static_cast<std::int32_t>(2 * s + 1);
}

/// Odd sub-scales from eight bytes: low halves for the even groups of 16, high halves for the odd.
inline Head nibbleHead(float scale, const std::byte* p) {
    Head head;
    head.scale = scale;
    for (int i = 0; i < 8; ++i) {
        head.scales[2 * i] = oddScale(byteAt(p + i) & 0x0Fu);
        head.scales[2 * i + 1] = oddScale(byteAt(p + i) >> 4);
    }
    return head;
}

/// Odd sub-scales from the top four bits of eight words, `step` bytes apart.
inline Head topHead(float scale, const std::byte* p, int step) {
    Head head;
    head.scale = scale;
    for (int i = 0; i < 8; ++i)
        head.scales[i] = oddScale(wordAt(p + i * step) >> 28);
    return head;
}

struct FormatIQ2_XXS {
    static constexpr std::size_t kBytes = 66, kValues = 256, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) { return topHead(halfScale(block) * 0.125f, block + 6, 8); }
    static Int8x32 values(const std::byte* block, int group) {
        const std::byte* q = block + 2 + group * 8;
        const auto& grid = quant::kIq2XxsGrid;
        return withSigns(two64(grid[byteAt(q)], grid[byteAt(q + 1)]),
                         two64(grid[byteAt(q + 2)], grid[byteAt(q + 3)]), indexedSigns(wordAt(q + 4)));
    }
};

struct FormatIQ2_XS {
    static constexpr std::size_t kBytes = 74, kValues = 256, kFold = 16;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) { return nibbleHead(halfScale(block) * 0.125f, block + 66); }
    static Int8x32 values(const std::byte* block, int group) {
        const std::byte* p = block + 2 + group * 8;
        const auto& grid = quant::kIq2XsGrid;
        std::uint64_t sizes[4];
        std::uint32_t signs = 0;
        for (int i = 0; i < 4; ++i) {
            const unsigned q = halfWordAt(p + i * 2);
            sizes[i] = grid[q & 511u];
            signs |= static_cast<std::uint32_t>(quant::signMask(q >> 9)) << (8 * i);
        }
        return withSigns(two64(sizes[0], sizes[1]), two64(sizes[2], sizes[3]), signs);
    }
};

struct FormatIQ2_S {
    static constexpr std::size_t kBytes = 82, kValues = 256, kFold = 16;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) { return nibbleHead(halfScale(block) * 0.125f, block + 74); }
    static Int8x32 values(const std::byte* block, int group) {
        const std::byte* q = block + 2 + group * 4;
        const unsigned high = byteAt(block + 66 + group);
        const auto& grid = quant::kIq2SGrid;
        return withSigns(
            two64(grid[byteAt(q) | ((high << 8) & 0x300u)], grid[byteAt(q + 1) | ((high << 6) & 0x300u)]),
            two64(grid[byteAt(q + 2) | ((high << 4) & 0x300u)], grid[byteAt(q + 3) | ((high << 2) & 0x300u)]),
            wordAt(block + 34 + group * 4));
    }
};

/// Eight groups of four.
inline Int8x32 signedFours(const std::uint32_t (&sizes)[8], std::uint32_t signs) {
    return withSigns(vreinterpretq_s8_u32(vld1q_u32(sizes)), vreinterpretq_s8_u32(vld1q_u32(sizes + 4)),
                     signs);
}

struct FormatIQ3_XXS {
    static constexpr std::size_t kBytes = 98, kValues = 256, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) { return topHead(halfScale(block) * 0.25f, block + 66, 4); }
    static Int8x32 values(const std::byte* block, int group) {
        std::uint32_t sizes[8];
        for (int i = 0; i < 8; ++i)
            sizes[i] = quant::kIq3XxsGrid[byteAt(block + 2 + group * 8 + i)];
        return signedFours(sizes, indexedSigns(wordAt(block + 66 + group * 4)));
    }
};

struct FormatIQ3_S {
    static constexpr std::size_t kBytes = 110, kValues = 256, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) {
        Head head;
        head.scale = halfScale(block);
        const std::uint32_t packed = wordAt(block + 106);
        for (int i = 0; i < 8; ++i)
            head.scales[i] = oddScale((packed >> (4 * i)) & 0x0Fu);
        return head;
    }
    static Int8x32 values(const std::byte* block, int group) {
        std::uint32_t sizes[8];
        const unsigned high = byteAt(block + 66 + group);
        for (int i = 0; i < 8; ++i)
            sizes[i] = quant::kIq3SGrid[byteAt(block + 2 + group * 8 + i) | ((high << (8 - i)) & 0x100u)];
        return signedFours(sizes, wordAt(block + 74 + group * 4));
    }
};

/// Eight times digits -1, 0, 1, plus or minus one where the format shifts by an eighth.
inline int8x16_t shiftedDigits(int8x16_t digits, bool firstDown, bool secondDown) {
    const int8x16_t shifts = vcombine_s8(vdup_n_s8(firstDown ? -1 : 1), vdup_n_s8(secondDown ? -1 : 1));
    return vaddq_s8(vshlq_n_s8(digits, 3), shifts);
}

struct FormatIQ1_S {
    static constexpr std::size_t kBytes = 50, kValues = 256, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) {
        Head head;
        head.scale = halfScale(block) * 0.125f;
        for (int i = 0; i < 8; ++i)
            head.scales[i] = oddScale((halfWordAt(block + 34 + i * 2) >> 12) & 7u);
        return head;
    }
    static Int8x32 values(const std::byte* block, int group) {
        const unsigned high = halfWordAt(block + 34 + group * 2);
        const std::byte* q = block + 2 + group * 4;
        const bool down = (high & 0x8000u) != 0;
        const auto& grid = quant::kIq1Grid;
        return {shiftedDigits(two64(grid[byteAt(q) | ((high << 8) & 0x700u)],
                                    grid[byteAt(q + 1) | ((high << 5) & 0x700u)]),
                              down, down),
                shiftedDigits(two64(grid[byteAt(q + 2) | ((high << 2) & 0x700u)],
                                    grid[byteAt(q + 3) | ((high >> 1) & 0x700u)]),
                              down, down)};
    }
};

struct FormatIQ1_M {
    static constexpr std::size_t kBytes = 56, kValues = 256, kFold = 16;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) {
        Head head;
        unsigned bits = 0;
        for (int i = 0; i < 4; ++i) {
            const unsigned word = halfWordAt(block + 48 + i * 2);
            bits |= (word >> 12) << (4 * i);
            for (int j = 0; j < 4; ++j)
                head.scales[4 * i + j] = oddScale((word >> (3 * j)) & 7u);
        }
        const auto scale = static_cast<std::uint16_t>(bits);
        head.scale = halfScale(&scale) * 0.125f;
        return head;
    }
    static Int8x32 values(const std::byte* block, int group) {
        const std::byte* q = block + group * 4;
        const unsigned low = byteAt(block + 32 + group * 2), high = byteAt(block + 33 + group * 2);
        const auto& grid = quant::kIq1Grid;
        return {shiftedDigits(two64(grid[byteAt(q) | ((low << 8) & 0x700u)],
                                    grid[byteAt(q + 1) | ((low << 4) & 0x700u)]),
                              (low & 0x08u) != 0, (low & 0x80u) != 0),
                shiftedDigits(two64(grid[byteAt(q + 2) | ((high << 8) & 0x700u)],
                                    grid[byteAt(q + 3) | ((high << 4) & 0x700u)]),
                              (high & 0x08u) != 0, (high & 0x80u) != 0)};
    }
};
