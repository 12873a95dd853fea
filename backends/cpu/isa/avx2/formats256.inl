// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Block types of 256 values as a kernel sees them: eight registers of 32 small integers in the order of the
// row, and a head of decoded sub-scales. Layouts: core/engine/quant/<type>.h. Only bytes of the block itself
// are read. Names as in formats32.inl;
//   kPer16    sub-scales are per 16 values, else per 32

/// Sub-scales are 16-bit integers: the low half of a register holds those of the even groups of 16, the high
/// half of the odd.
struct Head {
    float scale;            ///< times a sub-scale
    float correctionScale;  ///< times a correction
    __m256i scales;
    /// What is taken off, to be multiplied with the sums of the activations: minima, or scales again where
    /// there is an offset.
    __m256i corrections;
};

/// The same eight numbers for even and odd groups.
inline __m256i bothHalves(__m128i eight) {
    return _mm256_broadcastsi128_si256(eight);
}

/// Sixteen bytes in the order of the row to even and odd halves of bytes.
inline __m128i evenOdd(__m128i bytes) {
    return _mm_shuffle_epi8(bytes, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
}

/// Sub-scales and minima of Q4_K and Q5_K: 12 bytes to twice eight numbers of six bits, in general registers.
inline Head headWithMinima(const std::byte* block) {
    constexpr std::uint32_t kSix = 0x3F3F3F3Fu, kFour = 0x0F0F0F0Fu, kTop = 0x30303030u;
    const auto a = static_cast<std::uint32_t>(loadWord(block + 4));
    const auto b = static_cast<std::uint32_t>(loadWord(block + 8));
    const auto c = static_cast<std::uint32_t>(loadWord(block + 12));
    const std::uint64_t highScales = (c & kFour) | ((a >> 2) & kTop);
    const std::uint64_t highMinima = ((c >> 4) & kFour) | ((b >> 2) & kTop);
    const std::uint64_t scales = (a & kSix) | (highScales << 32);
    const std::uint64_t minima = (b & kSix) | (highMinima << 32);
    return {halfScale(block), halfScale(block + 2),
            bothHalves(_mm_cvtepu8_epi16(_mm_cvtsi64_si128(static_cast<long long>(scales)))),
            bothHalves(_mm_cvtepu8_epi16(_mm_cvtsi64_si128(static_cast<long long>(minima))))};
}

struct FormatQ4_K {
    static constexpr std::size_t kBytes = 144;
    static constexpr int kOffset = 0, kMaximum = 15;
    static constexpr bool kSigned = false, kMinimum = true, kPer16 = false;
    static Head head(const std::byte* block) { return headWithMinima(block); }
    static __m256i values(const std::byte* block, int group) {
        const __m256i packed = load256(block + 16 + group / 2 * 32);
        return _mm256_and_si256(group % 2 == 0 ? packed : _mm256_srli_epi16(packed, 4),
                                _mm256_set1_epi8(0x0F));
    }
};

struct FormatQ5_K {
    static constexpr std::size_t kBytes = 176;
    static constexpr int kOffset = 0, kMaximum = 31;
    static constexpr bool kSigned = false, kMinimum = true, kPer16 = false;
    static Head head(const std::byte* block) { return headWithMinima(block); }
    static __m256i values(const std::byte* block, int group) {
        const __m256i packed = load256(block + 48 + group / 2 * 32);
        const __m256i low =
            _mm256_and_si256(group % 2 == 0 ? packed : _mm256_srli_epi16(packed, 4), _mm256_set1_epi8(0x0F));
        const __m256i bit = _mm256_set1_epi8(static_cast<char>(1u << group));
        const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(load256(block + 16), bit), bit);
        return _mm256_or_si256(low, _mm256_and_si256(set, _mm256_set1_epi8(16)));
    }
};

struct FormatQ6_K {
    static constexpr std::size_t kBytes = 210;
    static constexpr int kOffset = 32, kMaximum = 63;
    static constexpr bool kSigned = false, kMinimum = false, kPer16 = true;
    static Head head(const std::byte* block) {
        const __m256i scales = _mm256_cvtepi8_epi16(evenOdd(load128(block + 192)));
        const float scale = halfScale(block + 208);
        return {scale, scale * kOffset, scales, scales};
    }
    static __m256i values(const std::byte* block, int group) {
        const int half = group / 4;
        const int quarter = group % 4;
        const __m256i packed = load256(block + half * 64 + quarter % 2 * 32);
        const __m256i low =
            _mm256_and_si256(quarter < 2 ? packed : _mm256_srli_epi16(packed, 4), _mm256_set1_epi8(0x0F));
        const __m256i pairs = load256(block + 128 + half * 32);
        const __m256i high = quarter < 2 ? _mm256_slli_epi16(pairs, quarter == 0 ? 4 : 2)
                                         : (quarter == 2 ? pairs : _mm256_srli_epi16(pairs, 2));
        return _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(0x30)));
    }
};

/// Bit pair `group % 4` of the 32 bytes of half `group / 4`.
inline __m256i bitPairs(const std::byte* quants, int group) {
    const __m256i packed = load256(quants + group / 4 * 32);
    return _mm256_and_si256(_mm256_srli_epi16(packed, group % 4 * 2), _mm256_set1_epi8(3));
}

struct FormatQ2_K {
    static constexpr std::size_t kBytes = 84;
    static constexpr int kOffset = 0, kMaximum = 3;
    static constexpr bool kSigned = false, kMinimum = true, kPer16 = true;
    static Head head(const std::byte* block) {
        const __m128i packed = evenOdd(load128(block));
        const __m128i mask = _mm_set1_epi8(0x0F);
        return {halfScale(block + 80), halfScale(block + 82),
                _mm256_cvtepu8_epi16(_mm_and_si128(packed, mask)),
                _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(packed, 4), mask))};
    }
    static __m256i values(const std::byte* block, int group) { return bitPairs(block + 16, group); }
};

struct FormatQ3_K {
    static constexpr std::size_t kBytes = 110;
    static constexpr int kOffset = 4, kMaximum = 7;
    static constexpr bool kSigned = false, kMinimum = false, kPer16 = true;
    static Head head(const std::byte* block) {
        constexpr std::uint32_t kFour = 0x0F0F0F0Fu, kTwo = 0x03030303u;
        const auto a = static_cast<std::uint32_t>(loadWord(block + 96));
        const auto b = static_cast<std::uint32_t>(loadWord(block + 100));
        const auto c = static_cast<std::uint32_t>(loadWord(block + 104));
        const __m128i natural =
            _mm_setr_epi32(static_cast<int>((a & kFour) | ((c & kTwo) << 4)),
                           static_cast<int>((b & kFour) | (((c >> 2) & kTwo) << 4)),
                           static_cast<int>(((a >> 4) & kFour) | (((c >> 4) & kTwo) << 4)),
                           static_cast<int>(((b >> 4) & kFour) | (((c >> 6) & kTwo) << 4)));
        const __m256i scales =
            _mm256_sub_epi16(_mm256_cvtepu8_epi16(evenOdd(natural)), _mm256_set1_epi16(32));
        const float scale = halfScale(block + 108);
        return {scale, scale * kOffset, scales, scales};
    }
    static __m256i values(const std::byte* block, int group) {
        const __m256i bit = _mm256_set1_epi8(static_cast<char>(1u << group));
        const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(load256(block), bit), bit);
        return _mm256_or_si256(bitPairs(block + 32, group), _mm256_and_si256(set, _mm256_set1_epi8(4)));
    }
};

struct FormatIQ4_XS {
    static constexpr std::size_t kBytes = 136;
    static constexpr int kOffset = 0, kMaximum = 127;
    static constexpr bool kSigned = true, kMinimum = false, kPer16 = false;
    static Head head(const std::byte* block) {
        std::uint16_t topBits;
        std::memcpy(&topBits, block + 2, sizeof(topBits));
        const __m128i packed = _mm_cvtsi32_si128(loadWord(block + 4));
        const __m128i mask = _mm_set1_epi8(0x0F);
        const __m128i low =
            _mm_unpacklo_epi8(_mm_and_si128(packed, mask), _mm_and_si128(_mm_srli_epi16(packed, 4), mask));
        // Multiplying moves the two bits of each sub-block to the top of its 16-bit lane.
        const __m128i places = _mm_setr_epi16(1 << 14, 1 << 12, 1 << 10, 1 << 8, 1 << 6, 1 << 4, 1 << 2, 1);
        const __m128i top =
            _mm_srli_epi16(_mm_mullo_epi16(_mm_set1_epi16(static_cast<short>(topBits)), places), 14);
        const __m128i scales = _mm_or_si128(_mm_cvtepu8_epi16(low), _mm_slli_epi16(top, 4));
        return {halfScale(block), 0.0f, bothHalves(_mm_sub_epi16(scales, _mm_set1_epi16(32))),
                _mm256_setzero_si256()};
    }
    static __m256i values(const std::byte* block, int group) {
        return lookup(quant::kIq4Values, nibbles(block + 8 + group * 16));
    }
};
