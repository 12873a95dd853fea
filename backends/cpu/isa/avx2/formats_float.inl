// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Types that are multiplied as floats, because their scales are finer than the integer kernels fold: one
// block to floats in 256-bit registers. Layouts: core/engine/quant/<type>.h.

inline void storeScaled(float* out, __m256i integers, __m256 scale) {
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtepi32_ps(integers), scale));
}

struct BlockToFloatNVFP4 {
    static constexpr std::size_t kBytes = 36, kValues = 64;
    static void convert(const std::byte* block, float* out) {
        const __m128i table = load128(quant::kDoubledE2m1);
        const __m128i mask = _mm_set1_epi8(0x0F);
        LOADER_UNROLL
        for (std::size_t pair = 0; pair < 2; ++pair) {
            const __m128i packed = load128(block + 4 + pair * 16);
            const __m128i low = _mm_and_si128(packed, mask);
            const __m128i high = _mm_and_si128(_mm_srli_epi16(packed, 4), mask);
            const __m128i subs[2] = {_mm_unpacklo_epi64(low, high), _mm_unpackhi_epi64(low, high)};
            LOADER_UNROLL
            for (std::size_t i = 0; i < 2; ++i) {
                const std::size_t sub = pair * 2 + i;
                const __m256 scale =
                    _mm256_set1_ps(quant::halvedE4m3(std::to_integer<std::uint8_t>(block[sub])));
                const __m128i values = _mm_shuffle_epi8(table, subs[i]);
                storeScaled(out + sub * 16, _mm256_cvtepi8_epi32(values), scale);
                storeScaled(out + sub * 16 + 8, _mm256_cvtepi8_epi32(_mm_srli_si128(values, 8)), scale);
            }
        }
    }
};

struct BlockToFloatQ1_0 {
    static constexpr std::size_t kBytes = 18, kValues = 128;
    static void convert(const std::byte* block, float* out) {
        const __m256 scale = _mm256_set1_ps(halfScale(block));
        const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        const __m256i sign = _mm256_set1_epi32(static_cast<int>(0x80000000u));
        LOADER_UNROLL
        for (std::size_t i = 0; i < 16; ++i) {
            const __m256i byte = _mm256_set1_epi32(std::to_integer<int>(block[2 + i]));
            const __m256i clear = _mm256_cmpeq_epi32(_mm256_and_si256(byte, bits), _mm256_setzero_si256());
            const __m256 flip = _mm256_castsi256_ps(_mm256_and_si256(clear, sign));
            _mm256_storeu_ps(out + i * 8, _mm256_xor_ps(scale, flip));
        }
    }
};

struct BlockToFloatQ2_0 {
    static constexpr std::size_t kBytes = 18, kValues = 64;
    static void convert(const std::byte* block, float* out) {
        const __m256 scale = _mm256_set1_ps(halfScale(block));
        const __m256i places = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
        LOADER_UNROLL
        for (std::size_t i = 0; i < 4; ++i) {
            const __m256i word = _mm256_set1_epi32(loadWord(block + 2 + i * 4));
            LOADER_UNROLL
            for (std::size_t half = 0; half < 2; ++half) {
                const __m256i moved = half == 0 ? word : _mm256_srli_epi32(word, 16);
                const __m256i quants =
                    _mm256_and_si256(_mm256_srlv_epi32(moved, places), _mm256_set1_epi32(3));
                storeScaled(out + i * 16 + half * 8, _mm256_sub_epi32(quants, _mm256_set1_epi32(1)), scale);
            }
        }
    }
};

/// `count` values, whole blocks, to floats.
template <class Block>
inline void convertBlocks(const std::byte* in, float* out, std::size_t count) {
    for (std::size_t k = 0; k < count; k += Block::kValues, in += Block::kBytes)
        Block::convert(in, out + k);
}

template <class Block>
struct BlocksToFloat {
    static std::size_t byteOffset(const WeightView&, std::size_t column) {
        return column / Block::kValues * Block::kBytes;
    }
    static void convert(const WeightView&, const std::byte* in, float* out, std::size_t count) {
        convertBlocks<Block>(in, out, count);
    }
};

template <class Block>
void convertedRows(const RowsJob& job) {
    auto* row = reinterpret_cast<float*>(job.scratch.data);
    for (std::size_t r = job.rowBegin; r < job.rowEnd; ++r) {
        const std::byte* in = job.weights.data + r * job.weights.rowBytes;
        convertBlocks<Block>(in, row, job.weights.columns);
        multiplyConvertedRow(job, row, r);
    }
}

template <class Block>
struct SlotOfFloats {
    static constexpr ActivationKind kActivation = ActivationKind::F32;
    static constexpr RowsKernel kRows = convertedRows<Block>;
    static constexpr RowsKernel kPanels = floatPanels<BlocksToFloat<Block>>;
};
