// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The codebook types (IQ1, IQ2, IQ3), TQ1_0 and TQ2_0 as blocks of 256 small integers; see formats256.inl for
// what the members mean. Fractions of the formats' scales (an eighth, a quarter) move into the float scale,
// so that sub-scales are whole numbers.

struct SignTable {
    std::uint64_t masks[128];
};

/// Byte masks of quant::signMask(): all bits where the value is negative.
constexpr SignTable makeSignTable() {
    SignTable table{};
    for (unsigned index = 0; index < 128; ++index) {
        unsigned parity = 0;
        for (unsigned bit = 0; bit < 7; ++bit)
            parity ^= (index >> bit) & 1u;
        const unsigned signs = index | (parity << 7);
        for (unsigned bit = 0; bit < 8; ++bit) {
            if (((signs >> bit) & 1u) != 0) table.masks[index] |= 0xFFull << (8 * bit);
        }
    }
    return table;
}
inline constexpr SignTable kSignTable = makeSignTable();

inline __m256i four64(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    return _mm256_setr_epi64x(static_cast<long long>(a), static_cast<long long>(b), static_cast<long long>(c),
                              static_cast<long long>(d));
}

/// Masks of the four sign indices of seven bits in a word.
inline __m256i indexedSigns(std::uint32_t word) {
    return four64(kSignTable.masks[word & 127u], kSignTable.masks[(word >> 7) & 127u],
                  kSignTable.masks[(word >> 14) & 127u], kSignTable.masks[(word >> 21) & 127u]);
}

/// Masks of 32 sign bits.
inline __m256i plainSigns(const std::byte* p) {
    return _mm256_cmpeq_epi8(fifthBits(p), _mm256_set1_epi8(16));
}

inline __m256i negateWhere(__m256i values, __m256i mask) {
    return _mm256_sub_epi8(_mm256_xor_si256(values, mask), mask);
}

inline unsigned byteAt(const std::byte* p) {
    return std::to_integer<unsigned>(*p);
}

inline std::uint32_t wordAt(const std::byte* p) {
    return static_cast<std::uint32_t>(loadWord(p));
}

/// 2 s + 1
inline __m256i oddScales(__m256i s) {
    return _mm256_add_epi16(_mm256_add_epi16(s, s), _mm256_set1_epi16(1));
}

/// Eight 32-bit words to the 16-bit sub-scales in their top four bits.
inline __m256i topScales(__m256i words) {
    const __m256i scales = _mm256_srli_epi32(words, 28);
    return bothHalves(_mm_packs_epi32(_mm256_castsi256_si128(scales), _mm256_extracti128_si256(scales, 1)));
}

/// Eight bytes, low halves for the even groups of 16 and high halves for the odd.
inline __m256i nibbleScales(const std::byte* p) {
    const __m128i bytes = _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi16(0x0F));
}

struct FormatIQ2_XXS {
    static constexpr std::size_t kBytes = 66;
    static constexpr int kOffset = 0, kMaximum = 43;
    static constexpr bool kSigned = true, kMinimum = false, kPer16 = false;
    static Head head(const std::byte* block) {
        const __m256 first = _mm256_castsi256_ps(load256(block + 2));
        const __m256 last = _mm256_castsi256_ps(load256(block + 34));
        const __m256i odd = _mm256_castps_si256(_mm256_shuffle_ps(first, last, 0xDD));
        const __m256i words = _mm256_permute4x64_epi64(odd, 0xD8);
        return {halfScale(block) * 0.125f, 0.0f, oddScales(topScales(words)), _mm256_setzero_si256()};
    }
    static __m256i values(const std::byte* block, int group) {
        const std::byte* quants = block + 2 + group * 8;
        const __m256i sizes =
            four64(quant::kIq2XxsGrid[byteAt(quants)], quant::kIq2XxsGrid[byteAt(quants + 1)],
                   quant::kIq2XxsGrid[byteAt(quants + 2)], quant::kIq2XxsGrid[byteAt(quants + 3)]);
        return negateWhere(sizes, indexedSigns(wordAt(quants + 4)));
    }
};

struct FormatIQ2_XS {
    static constexpr std::size_t kBytes = 74;
    static constexpr int kOffset = 0, kMaximum = 43;
    static constexpr bool kSigned = true, kMinimum = false, kPer16 = true;
    static Head head(const std::byte* block) {
        return {halfScale(block) * 0.125f, 0.0f, oddScales(nibbleScales(block + 66)), _mm256_setzero_si256()};
    }
    static __m256i values(const std::byte* block, int group) {
        std::uint32_t q[4];
        for (int i = 0; i < 4; ++i) {
            std::uint16_t bits;
            std::memcpy(&bits, block + 2 + group * 8 + i * 2, sizeof(bits));
            q[i] = bits;
        }
        const auto& grid = quant::kIq2XsGrid;
        const auto& masks = kSignTable.masks;
        return negateWhere(four64(grid[q[0] & 511u], grid[q[1] & 511u], grid[q[2] & 511u], grid[q[3] & 511u]),
                           four64(masks[q[0] >> 9], masks[q[1] >> 9], masks[q[2] >> 9], masks[q[3] >> 9]));
    }
};

struct FormatIQ2_S {
    static constexpr std::size_t kBytes = 82;
    static constexpr int kOffset = 0, kMaximum = 43;
    static constexpr bool kSigned = true, kMinimum = false, kPer16 = true;
    static Head head(const std::byte* block) {
        return {halfScale(block) * 0.125f, 0.0f, oddScales(nibbleScales(block + 74)), _mm256_setzero_si256()};
    }
    static __m256i values(const std::byte* block, int group) {
        const std::byte* q = block + 2 + group * 4;
        const unsigned high = byteAt(block + 66 + group);
        const auto& grid = quant::kIq2SGrid;
        const __m256i sizes = four64(
            grid[byteAt(q) | ((high << 8) & 0x300u)], grid[byteAt(q + 1) | ((high << 6) & 0x300u)],
            grid[byteAt(q + 2) | ((high << 4) & 0x300u)], grid[byteAt(q + 3) | ((high << 2) & 0x300u)]);
        return negateWhere(sizes, plainSigns(block + 34 + group * 4));
    }
};

struct FormatIQ3_XXS {
    static constexpr std::size_t kBytes = 98;
    static constexpr int kOffset = 0, kMaximum = 62;
    static constexpr bool kSigned = true, kMinimum = false, kPer16 = false;
    static Head head(const std::byte* block) {
        return {halfScale(block) * 0.25f, 0.0f, oddScales(topScales(load256(block + 66))),
                _mm256_setzero_si256()};
    }
    static __m256i values(const std::byte* block, int group) {
        alignas(32) std::uint32_t sizes[8];
        for (int i = 0; i < 8; ++i)
            sizes[i] = quant::kIq3XxsGrid[byteAt(block + 2 + group * 8 + i)];
        return negateWhere(load256(sizes), indexedSigns(wordAt(block + 66 + group * 4)));
    }
};

struct FormatIQ3_S {
    static constexpr std::size_t kBytes = 110;
    static constexpr int kOffset = 0, kMaximum = 15;
    static constexpr bool kSigned = true, kMinimum = false, kPer16 = false;
    static Head head(const std::byte* block) {
        const __m128i packed = _mm_cvtsi32_si128(loadWord(block + 106));
        const __m128i mask = _mm_set1_epi8(0x0F);
        const __m128i natural =
            _mm_unpacklo_epi8(_mm_and_si128(packed, mask), _mm_and_si128(_mm_srli_epi16(packed, 4), mask));
        return {halfScale(block), 0.0f, oddScales(bothHalves(_mm_cvtepu8_epi16(natural))),
                _mm256_setzero_si256()};
    }
    static __m256i values(const std::byte* block, int group) {
        alignas(32) std::uint32_t sizes[8];
        const unsigned high = byteAt(block + 66 + group);
        for (int i = 0; i < 8; ++i) {
            sizes[i] = quant::kIq3SGrid[byteAt(block + 2 + group * 8 + i) | ((high << (8 - i)) & 0x100u)];
        }
        return negateWhere(load256(sizes), plainSigns(block + 74 + group * 4));
    }
};

/// Eight times digits -1, 0, 1.
inline __m256i eightfold(__m256i digits) {
    return _mm256_and_si256(_mm256_slli_epi16(digits, 3), _mm256_set1_epi8(static_cast<char>(0xF8)));
}

struct FormatIQ1_S {
    static constexpr std::size_t kBytes = 50;
    static constexpr int kOffset = 0, kMaximum = 9;
    static constexpr bool kSigned = true, kMinimum = false, kPer16 = false;
    static Head head(const std::byte* block) {
        const __m128i scales = _mm_and_si128(_mm_srli_epi16(load128(block + 34), 12), _mm_set1_epi16(7));
        return {halfScale(block) * 0.125f, 0.0f, oddScales(bothHalves(scales)), _mm256_setzero_si256()};
    }
    static __m256i values(const std::byte* block, int group) {
        std::uint16_t bits;
        std::memcpy(&bits, block + 34 + group * 2, sizeof(bits));
        const unsigned high = bits;
        const std::byte* q = block + 2 + group * 4;
        const auto& grid = quant::kIq1Grid;
        const __m256i digits = four64(
            grid[byteAt(q) | ((high << 8) & 0x700u)], grid[byteAt(q + 1) | ((high << 5) & 0x700u)],
            grid[byteAt(q + 2) | ((high << 2) & 0x700u)], grid[byteAt(q + 3) | ((high >> 1) & 0x700u)]);
        return _mm256_add_epi8(eightfold(digits), _mm256_set1_epi8((high & 0x8000u) != 0 ? -1 : 1));
    }
};

struct FormatIQ1_M {
    static constexpr std::size_t kBytes = 56;
    static constexpr int kOffset = 0, kMaximum = 9;
    static constexpr bool kSigned = true, kMinimum = false, kPer16 = true;
    static Head head(const std::byte* block) {
        const auto first = wordAt(block + 48), last = wordAt(block + 52);
        const auto bits = static_cast<std::uint16_t>(((first >> 12) & 0x000Fu) | ((first >> 24) & 0x00F0u) |
                                                     ((last >> 4) & 0x0F00u) | ((last >> 16) & 0xF000u));
        // Each of four words has four scales of three bits; multiplying moves the wanted one to the top.
        const __m256i words =
            _mm256_broadcastsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(block + 48)));
        const __m256i pairs = _mm256_shuffle_epi8(
            words,
            _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7)));
        const __m256i places =
            _mm256_setr_epi16(1 << 13, 1 << 7, 1 << 13, 1 << 7, 1 << 13, 1 << 7, 1 << 13, 1 << 7, 1 << 10,
                              1 << 4, 1 << 10, 1 << 4, 1 << 10, 1 << 4, 1 << 10, 1 << 4);
        const __m256i scales = _mm256_srli_epi16(_mm256_mullo_epi16(pairs, places), 13);
        return {halfScale(&bits) * 0.125f, 0.0f, oddScales(scales), _mm256_setzero_si256()};
    }
    static __m256i values(const std::byte* block, int group) {
        const std::byte* q = block + group * 4;
        const unsigned low = byteAt(block + 32 + group * 2), high = byteAt(block + 33 + group * 2);
        const auto& grid = quant::kIq1Grid;
        const __m256i digits = four64(
            grid[byteAt(q) | ((low << 8) & 0x700u)], grid[byteAt(q + 1) | ((low << 4) & 0x700u)],
            grid[byteAt(q + 2) | ((high << 8) & 0x700u)], grid[byteAt(q + 3) | ((high << 4) & 0x700u)]);
        constexpr std::uint64_t kUp = 0x0101010101010101ull, kDown = ~0ull;
        const __m256i shifts = four64((low & 0x08u) != 0 ? kDown : kUp, (low & 0x80u) != 0 ? kDown : kUp,
                                      (high & 0x08u) != 0 ? kDown : kUp, (high & 0x80u) != 0 ? kDown : kUp);
        return _mm256_add_epi8(eightfold(digits), shifts);
    }
};

struct FormatTQ2_0 {
    static constexpr std::size_t kBytes = 66;
    static constexpr int kOffset = 1, kMaximum = 3;
    static constexpr bool kSigned = false, kMinimum = false, kPer16 = false;
    static Head head(const std::byte* block) {
        const float scale = halfScale(block + 64);
        return {scale, scale, _mm256_set1_epi16(1), _mm256_set1_epi16(1)};
    }
    static __m256i values(const std::byte* block, int group) { return bitPairs(block, group); }
};

/// Each byte times the power of three of its 16-bit lane, without carry, is a fraction of 256 whose thirds
/// are the digit.
inline __m256i ternaryDigits(__m256i bytes, __m256i powers) {
    const __m256i odd = _mm256_set1_epi16(static_cast<short>(0xFF00));
    const __m256i low = _mm256_andnot_si256(odd, _mm256_mullo_epi16(bytes, powers));
    const __m256i high = _mm256_mullo_epi16(_mm256_and_si256(bytes, odd), powers);
    const __m256i fractions = _mm256_or_si256(low, high);
    const __m256i third = _mm256_set1_epi8(86), twoThirds = _mm256_set1_epi8(static_cast<char>(171));
    const __m256i one = _mm256_cmpeq_epi8(_mm256_max_epu8(fractions, third), fractions);
    const __m256i two = _mm256_cmpeq_epi8(_mm256_max_epu8(fractions, twoThirds), fractions);
    // Of the sum, 0 to -2, the complement is the digit less one.
    return _mm256_xor_si256(_mm256_add_epi8(one, two), _mm256_set1_epi8(-1));
}

struct FormatTQ1_0 {
    static constexpr std::size_t kBytes = 54;
    static constexpr int kOffset = 0, kMaximum = 1;
    static constexpr bool kSigned = true, kMinimum = false, kPer16 = false;
    static Head head(const std::byte* block) {
        return {halfScale(block + 52), 0.0f, _mm256_set1_epi16(1), _mm256_setzero_si256()};
    }
    static __m256i values(const std::byte* block, int group) {
        constexpr short kPowers[5] = {1, 3, 9, 27, 81};
        if (group < 5) return ternaryDigits(load256(block), _mm256_set1_epi16(kPowers[group]));
        const __m128i sixteen = load128(block + 32);
        if (group < 7) {
            const int digit = (group - 5) * 2;
            const __m256i powers = _mm256_inserti128_si256(_mm256_set1_epi16(kPowers[digit]),
                                                           _mm_set1_epi16(kPowers[digit + 1]), 1);
            return ternaryDigits(_mm256_broadcastsi128_si256(sixteen), powers);
        }
        const __m128i last = _mm_set1_epi32(loadWord(block + 48));
        const __m256i powers = _mm256_setr_epi16(81, 81, 81, 81, 81, 81, 81, 81, 1, 1, 3, 3, 9, 9, 27, 27);
        return ternaryDigits(_mm256_inserti128_si256(_mm256_castsi128_si256(sixteen), last, 1), powers);
    }
};
