// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Block types of 32 values as a kernel sees them: 32 small integers in one register in the order of the row,
// a scale, perhaps a minimum. Layouts: core/engine/quant/<type>.h. Only bytes of the block itself are read.
//   kOffset   what is to be taken off each unsigned value        kSigned   values are signed, no offset
//   kMaximum  largest value as it stands in the register         kMinimum  value = scale × quant + minimum
//   kTwoTerms multiplied with activations of the kind Q8Pair32

/// Low halves of 16 bytes, then their high halves.
inline __m256i nibbles(const void* p) {
    const __m128i packed = load128(p);
    const __m256i both =
        _mm256_inserti128_si256(_mm256_castsi128_si256(packed), _mm_srli_epi16(packed, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi8(0x0F));
}

/// 16 in every byte whose bit is set in the 32-bit word, else 0.
inline __m256i fifthBits(const void* p) {
    const __m256i word = _mm256_set1_epi32(loadWord(p));
    const __m256i spread =
        _mm256_shuffle_epi8(word, _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
                                                   2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3));
    const __m256i bits = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ull));
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(spread, bits), bits), _mm256_set1_epi8(16));
}

inline __m256i lookup(const std::int8_t (&table)[16], __m256i indices) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load128(table)), indices);
}

struct FormatQ4_0 {
    static constexpr std::size_t kBytes = 18;
    static constexpr int kOffset = 8, kMaximum = 15;
    static constexpr bool kSigned = false, kMinimum = false, kTwoTerms = false;
    static __m256i values(const std::byte* block) { return nibbles(block + 2); }
    static float scale(const std::byte* block) { return halfScale(block); }
};

struct FormatQ4_1 {
    static constexpr std::size_t kBytes = 20;
    static constexpr int kOffset = 0, kMaximum = 15;
    static constexpr bool kSigned = false, kMinimum = true, kTwoTerms = false;
    static __m256i values(const std::byte* block) { return nibbles(block + 4); }
    static float scale(const std::byte* block) { return halfScale(block); }
    static float minimum(const std::byte* block) { return halfScale(block + 2); }
};

struct FormatQ5_0 {
    static constexpr std::size_t kBytes = 22;
    static constexpr int kOffset = 16, kMaximum = 31;
    static constexpr bool kSigned = false, kMinimum = false, kTwoTerms = false;
    static __m256i values(const std::byte* block) {
        return _mm256_or_si256(nibbles(block + 6), fifthBits(block + 2));
    }
    static float scale(const std::byte* block) { return halfScale(block); }
};

struct FormatQ5_1 {
    static constexpr std::size_t kBytes = 24;
    static constexpr int kOffset = 0, kMaximum = 31;
    static constexpr bool kSigned = false, kMinimum = true, kTwoTerms = false;
    static __m256i values(const std::byte* block) {
        return _mm256_or_si256(nibbles(block + 8), fifthBits(block + 4));
    }
    static float scale(const std::byte* block) { return halfScale(block); }
    static float minimum(const std::byte* block) { return halfScale(block + 2); }
};

struct FormatQ8_0 {
    static constexpr std::size_t kBytes = 34;
    static constexpr int kOffset = 0, kMaximum = 128;
    static constexpr bool kSigned = true, kMinimum = false, kTwoTerms = true;
    static __m256i values(const std::byte* block) { return load256(block + 2); }
    static float scale(const std::byte* block) { return halfScale(block); }
};

struct FormatIQ4_NL {
    static constexpr std::size_t kBytes = 18;
    static constexpr int kOffset = 0, kMaximum = 127;
    static constexpr bool kSigned = true, kMinimum = false, kTwoTerms = false;
    static __m256i values(const std::byte* block) { return lookup(quant::kIq4Values, nibbles(block + 2)); }
    static float scale(const std::byte* block) { return halfScale(block); }
};

struct FormatMXFP4 {
    static constexpr std::size_t kBytes = 17;
    static constexpr int kOffset = 0, kMaximum = 12;
    static constexpr bool kSigned = true, kMinimum = false, kTwoTerms = false;
    static __m256i values(const std::byte* block) { return lookup(quant::kDoubledE2m1, nibbles(block + 1)); }
    static float scale(const std::byte* block) {
        return quant::halvedE8m0(std::to_integer<std::uint8_t>(block[0]));
    }
};
