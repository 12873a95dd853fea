// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Block types as the kernels of the NEON tier see them, one description for rows and panels: signed integers
// of eight bits, 32 at a time in the order of the row, and a head of scales. An offset is taken off while
// unpacking, because the dot product is signed on both sides. Layouts: core/engine/quant/<type>.h. Only bytes
// of the block itself are read.
//   kValues   values of a block: 32 or 256                 kFold   values that share a sub-scale: 16 or 32
//   kMinimum  value = scale × sub-scale × quant − minimumScale × minimum, else without the second term

struct Int8x32 {
    int8x16_t low, high;
};

/// Of types with 32 values the sub-scale and the minimum are 1.
struct Head {
    float scale;
    float minimumScale;
    std::int32_t scales[16];
    std::int32_t minima[16];
};

inline Head plainHead(float scale, float minimumScale = 0.0f) {
    Head head;
    head.scale = scale;
    head.minimumScale = minimumScale;
    head.scales[0] = head.minima[0] = 1;
    return head;
}

inline uint8x16_t loadBytes(const void* p) {
    return vld1q_u8(static_cast<const std::uint8_t*>(p));
}
inline std::uint32_t wordAt(const std::byte* p) {
    std::uint32_t word;
    std::memcpy(&word, p, sizeof(word));
    return word;
}
inline unsigned halfWordAt(const std::byte* p) {
    std::uint16_t word;
    std::memcpy(&word, p, sizeof(word));
    return word;
}
inline unsigned byteAt(const std::byte* p) {
    return std::to_integer<unsigned>(*p);
}

inline void widenWords(int16x8_t words, std::int32_t* out) {
    vst1q_s32(out, vmovl_s16(vget_low_s16(words)));
    vst1q_s32(out + 4, vmovl_s16(vget_high_s16(words)));
}
inline void widenBytes(int8x16_t bytes, std::int32_t* out) {
    widenWords(vmovl_s8(vget_low_s8(bytes)), out);
    widenWords(vmovl_s8(vget_high_s8(bytes)), out + 8);
}
inline void widenEight(std::uint64_t bytes, std::int32_t* out) {
    widenWords(vmovl_s8(vcreate_s8(bytes)), out);
}

inline int8x16_t minus(uint8x16_t values, int offset) {
    return vsubq_s8(vreinterpretq_s8_u8(values), vdupq_n_s8(static_cast<std::int8_t>(offset)));
}

/// Low halves of 16 bytes, then their high halves.
struct Nibbles {
    explicit Nibbles(const void* p)
        : low(vandq_u8(loadBytes(p), vdupq_n_u8(0x0F))), high(vshrq_n_u8(loadBytes(p), 4)) {}
    Int8x32 minusOffset(int offset) const { return {minus(low, offset), minus(high, offset)}; }
    Int8x32 lookup(const std::int8_t (&table)[16]) const {
        const int8x16_t values = vld1q_s8(table);
        return {vqtbl1q_s8(values, low), vqtbl1q_s8(values, high)};
    }
    uint8x16_t low, high;
};

/// All bits of every byte whose bit is set in the 16 bits.
inline uint8x16_t spreadBits(unsigned bits) {
    const uint8x16_t bytes = vcombine_u8(vdup_n_u8(static_cast<std::uint8_t>(bits)),
                                         vdup_n_u8(static_cast<std::uint8_t>(bits >> 8)));
    const uint8x8_t places = vcreate_u8(0x8040201008040201ull);
    return vtstq_u8(bytes, vcombine_u8(places, places));
}

/// Nibbles with a fifth bit each from a 32-bit word, less the offset.
inline Int8x32 fiveBits(const std::byte* low, const std::byte* top, int offset) {
    const Nibbles nibbles(low);
    const std::uint32_t bits = wordAt(top);
    const uint8x16_t sixteen = vdupq_n_u8(16);
    return {minus(vorrq_u8(nibbles.low, vandq_u8(spreadBits(bits), sixteen)), offset),
            minus(vorrq_u8(nibbles.high, vandq_u8(spreadBits(bits >> 16), sixteen)), offset)};
}

struct FormatQ4_0 {
    static constexpr std::size_t kBytes = 18, kValues = 32, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) { return plainHead(halfScale(block)); }
    static Int8x32 values(const std::byte* block, int) { return Nibbles(block + 2).minusOffset(8); }
};

struct FormatQ4_1 {
    static constexpr std::size_t kBytes = 20, kValues = 32, kFold = 32;
    static constexpr bool kMinimum = true;
    static Head head(const std::byte* block) { return plainHead(halfScale(block), -halfScale(block + 2)); }
    static Int8x32 values(const std::byte* block, int) { return Nibbles(block + 4).minusOffset(0); }
};

struct FormatQ5_0 {
    static constexpr std::size_t kBytes = 22, kValues = 32, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) { return plainHead(halfScale(block)); }
    static Int8x32 values(const std::byte* block, int) { return fiveBits(block + 6, block + 2, 16); }
};

struct FormatQ5_1 {
    static constexpr std::size_t kBytes = 24, kValues = 32, kFold = 32;
    static constexpr bool kMinimum = true;
    static Head head(const std::byte* block) { return plainHead(halfScale(block), -halfScale(block + 2)); }
    static Int8x32 values(const std::byte* block, int) { return fiveBits(block + 8, block + 4, 0); }
};

struct FormatQ8_0 {
    static constexpr std::size_t kBytes = 34, kValues = 32, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) { return plainHead(halfScale(block)); }
    static Int8x32 values(const std::byte* block, int) {
        return {minus(loadBytes(block + 2), 0), minus(loadBytes(block + 18), 0)};
    }
};

struct FormatIQ4_NL {
    static constexpr std::size_t kBytes = 18, kValues = 32, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) { return plainHead(halfScale(block)); }
    static Int8x32 values(const std::byte* block, int) {
        return Nibbles(block + 2).lookup(quant::kIq4Values);
    }
};

struct FormatMXFP4 {
    static constexpr std::size_t kBytes = 17, kValues = 32, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) {
        return plainHead(quant::halvedE8m0(std::to_integer<std::uint8_t>(block[0])));
    }
    static Int8x32 values(const std::byte* block, int) {
        return Nibbles(block + 1).lookup(quant::kDoubledE2m1);
    }
};

/// Sub-scales and minima of Q4_K and Q5_K: 12 bytes to twice eight numbers of six bits, in general registers.
inline Head headWithMinima(const std::byte* block) {
    constexpr std::uint32_t kSix = 0x3F3F3F3Fu, kFour = 0x0F0F0F0Fu, kTop = 0x30303030u;
    const std::uint32_t a = wordAt(block + 4), b = wordAt(block + 8), c = wordAt(block + 12);
    const std::uint64_t highScales = (c & kFour) | ((a >> 2) & kTop);
    const std::uint64_t highMinima = ((c >> 4) & kFour) | ((b >> 2) & kTop);
    Head head;
    head.scale = halfScale(block);
    head.minimumScale = halfScale(block + 2);
    widenEight((a & kSix) | (highScales << 32), head.scales);
    widenEight((b & kSix) | (highMinima << 32), head.minima);
    return head;
}

/// Low or high halves of 16 bytes.
inline uint8x16_t halfBytes(const std::byte* p, bool high) {
    return high ? vshrq_n_u8(loadBytes(p), 4) : vandq_u8(loadBytes(p), vdupq_n_u8(0x0F));
}

/// Bits first and first + 1 of each byte.
inline uint8x16_t bitPairs(const std::byte* p, int first) {
    return vandq_u8(vshlq_u8(loadBytes(p), vdupq_n_s8(static_cast<std::int8_t>(-first))), vdupq_n_u8(3));
}

/// `value` in every byte that has the bit set.
inline uint8x16_t whereBit(const std::byte* p, int bit, int value) {
    const uint8x16_t mask = vdupq_n_u8(static_cast<std::uint8_t>(1u << bit));
    return vandq_u8(vtstq_u8(loadBytes(p), mask), vdupq_n_u8(static_cast<std::uint8_t>(value)));
}

struct FormatQ4_K {
    static constexpr std::size_t kBytes = 144, kValues = 256, kFold = 32;
    static constexpr bool kMinimum = true;
    static Head head(const std::byte* block) { return headWithMinima(block); }
    static Int8x32 values(const std::byte* block, int group) {
        const std::byte* p = block + 16 + group / 2 * 32;
        return {minus(halfBytes(p, group % 2 != 0), 0), minus(halfBytes(p + 16, group % 2 != 0), 0)};
    }
};

struct FormatQ5_K {
    static constexpr std::size_t kBytes = 176, kValues = 256, kFold = 32;
    static constexpr bool kMinimum = true;
    static Head head(const std::byte* block) { return headWithMinima(block); }
    static int8x16_t sixteen(const std::byte* quants, const std::byte* top, int group) {
        return minus(vorrq_u8(halfBytes(quants, group % 2 != 0), whereBit(top, group, 16)), 0);
    }
    static Int8x32 values(const std::byte* block, int group) {
        const std::byte* p = block + 48 + group / 2 * 32;
        return {sixteen(p, block + 16, group), sixteen(p + 16, block + 32, group)};
    }
};

struct FormatQ6_K {
    static constexpr std::size_t kBytes = 210, kValues = 256, kFold = 16;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) {
        Head head;
        head.scale = halfScale(block + 208);
        widenBytes(vreinterpretq_s8_u8(loadBytes(block + 192)), head.scales);
        return head;
    }
    static int8x16_t sixteen(const std::byte* quants, const std::byte* top, int quarter) {
        const uint8x16_t high = vshlq_n_u8(bitPairs(top, 2 * quarter), 4);
        return minus(vorrq_u8(halfBytes(quants, quarter >= 2), high), 32);
    }
    static Int8x32 values(const std::byte* block, int group) {
        const int half = group / 4, quarter = group % 4;
        const std::byte* quants = block + half * 64 + quarter % 2 * 32;
        const std::byte* top = block + 128 + half * 32;
        return {sixteen(quants, top, quarter), sixteen(quants + 16, top + 16, quarter)};
    }
};

struct FormatQ2_K {
    static constexpr std::size_t kBytes = 84, kValues = 256, kFold = 16;
    static constexpr bool kMinimum = true;
    static Head head(const std::byte* block) {
        Head head;
        head.scale = halfScale(block + 80);
        head.minimumScale = halfScale(block + 82);
        const Nibbles nibbles(block);
        widenBytes(minus(nibbles.low, 0), head.scales);
        widenBytes(minus(nibbles.high, 0), head.minima);
        return head;
    }
    static Int8x32 values(const std::byte* block, int group) {
        const std::byte* p = block + 16 + group / 4 * 32;
        return {minus(bitPairs(p, group % 4 * 2), 0), minus(bitPairs(p + 16, group % 4 * 2), 0)};
    }
};

struct FormatQ3_K {
    static constexpr std::size_t kBytes = 110, kValues = 256, kFold = 16;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) {
        constexpr std::uint32_t kFour = 0x0F0F0F0Fu, kTwo = 0x03030303u;
        const std::uint32_t a = wordAt(block + 96), b = wordAt(block + 100), c = wordAt(block + 104);
        const std::uint32_t words[4] = {
            (a & kFour) | ((c & kTwo) << 4), (b & kFour) | (((c >> 2) & kTwo) << 4),
            ((a >> 4) & kFour) | (((c >> 4) & kTwo) << 4), ((b >> 4) & kFour) | (((c >> 6) & kTwo) << 4)};
        Head head;
        head.scale = halfScale(block + 108);
        widenBytes(minus(loadBytes(words), 32), head.scales);
        return head;
    }
    static int8x16_t sixteen(const std::byte* quants, const std::byte* top, int group) {
        return minus(vorrq_u8(bitPairs(quants, group % 4 * 2), whereBit(top, group, 4)), 4);
    }
    static Int8x32 values(const std::byte* block, int group) {
        const std::byte* p = block + 32 + group / 4 * 32;
        return {sixteen(p, block, group), sixteen(p + 16, block + 16, group)};
    }
};

struct FormatIQ4_XS {
    static constexpr std::size_t kBytes = 136, kValues = 256, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) {
        Head head;
        head.scale = halfScale(block);
        const unsigned top = halfWordAt(block + 2);
        const std::uint32_t low = wordAt(block + 4);
        for (int i = 0; i < 8; ++i) {
            const unsigned scale = ((low >> (4 * i)) & 0x0Fu) | (((top >> (2 * i)) & 3u) << 4);
            head.scales[i] = static_cast<std::int32_t>(scale) - 32;
        }
        return head;
    }
    static Int8x32 values(const std::byte* block, int group) {
        return Nibbles(block + 8 + group * 16).lookup(quant::kIq4Values);
    }
};

struct FormatTQ2_0 {
    static constexpr std::size_t kBytes = 66, kValues = 256, kFold = 32;
    static constexpr bool kMinimum = false;
    static Head head(const std::byte* block) {
        Head head;
        head.scale = halfScale(block + 64);
        for (std::int32_t& scale : head.scales)
            scale = 1;
        return head;
    }
    static Int8x32 values(const std::byte* block, int group) {
        const std::byte* p = block + group / 4 * 32;
        return {minus(bitPairs(p, group % 4 * 2), 1), minus(bitPairs(p + 16, group % 4 * 2), 1)};
    }
};
