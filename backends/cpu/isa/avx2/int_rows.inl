// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows times few tokens for quantised types, straight from the file's layout: each block is unpacked once and
// multiplied with up to four tokens. Included by the AVX2 and the AVX-512 tier after their int_dot.inl.

constexpr int shiftOf(int powerOfTwo) {
    int shift = 0;
    while ((1 << shift) < powerOfTwo)
        ++shift;
    return shift;
}

/// The parts of one token's record.
struct TokenParts {
    const std::int8_t* values;
    const float* scales;
    const float* sums;
    const std::int32_t* offsets32;
    const std::int32_t* offsets16;
    const std::int16_t* evenOddSums;
};

inline TokenParts tokenParts(const ActivationView& activation, std::size_t token) {
    const std::byte* record = activation.token(token);
    const ActivationLayout& layout = activation.layout;
    return {reinterpret_cast<const std::int8_t*>(record),
            reinterpret_cast<const float*>(record + layout.scales),
            reinterpret_cast<const float*>(record + layout.sums),
            reinterpret_cast<const std::int32_t*>(record + layout.offsets32),
            reinterpret_cast<const std::int32_t*>(record + layout.offsets16),
            reinterpret_cast<const std::int16_t*>(record + layout.evenOddSums)};
}

/// Of a kernel that names an Order: its values come from scratch, where intRows() has put them.
template <class Order>
inline TokenParts arrangedParts(const RowsJob& job, std::size_t token) {
    TokenParts parts = tokenParts(job.activation, token);
    parts.values = reinterpret_cast<const std::int8_t*>(job.scratch.data) +
                   token * roundUp(Order::bytes(job.weights.columns), 64);
    return parts;
}

template <class Format, std::size_t tokens, std::size_t kSums>
struct Row32 {
    TokenParts parts[tokens];
    __m256 sums[tokens][kSums];
    float minima[tokens];
    std::size_t blocks;

    inline void open(std::size_t columns) {
        blocks = columns / 32;
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            minima[t] = 0.0f;
            LOADER_UNROLL
            for (std::size_t u = 0; u < kSums; ++u)
                sums[t][u] = _mm256_setzero_ps();
        }
    }

    /// The blocks from value `i` on, one by one.
    inline void rest(const std::byte* row, std::size_t i) {
        for (std::size_t b = i / 32; b < blocks; ++b)
            block(row + b * Format::kBytes, b, 0);
    }

    /// Without `minima`.
    inline __m256 total(std::size_t t) const {
        __m256 total = sums[t][0];
        LOADER_UNROLL
        for (std::size_t u = 1; u < kSums; ++u)
            total = _mm256_add_ps(total, sums[t][u]);
        return total;
    }

    inline void block(const std::byte* data, std::size_t index, std::size_t slot) {
        const __m256i values = Format::values(data);
        const __m256i magnitudes = Format::kSigned ? _mm256_abs_epi8(values) : values;
        const float scale = Format::scale(data);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const __m256i x = load256(parts[t].values + index * 32);
            __m256i integer = _mm256_setzero_si256();
            if constexpr (Format::kOffset != 0) {
                const std::int32_t offset = parts[t].offsets32[index] >> shiftOf(128 / Format::kOffset);
                integer = _mm256_zextsi128_si256(_mm_cvtsi32_si128(offset));
            }
            integer = addDot(integer, magnitudes, Format::kSigned ? _mm256_sign_epi8(x, values) : x);
            const __m256 factor = _mm256_set1_ps(scale * parts[t].scales[index]);
            sums[t][slot] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integer), factor, sums[t][slot]);
            if constexpr (Format::kMinimum) minima[t] += Format::minimum(data) * parts[t].sums[index];
        }
    }
};

/// Half precision numbers at the same place of eight blocks.
template <std::size_t stride>
inline __m256 halfOct(const std::byte* p) {
    std::uint64_t words[2];
    LOADER_UNROLL
    for (std::size_t i = 0; i < 2; ++i) {
        std::uint16_t bits[4];
        for (std::size_t j = 0; j < 4; ++j)
            std::memcpy(&bits[j], p + (i * 4 + j) * stride, sizeof(bits[j]));
        words[i] = bits[0] | (std::uint64_t{bits[1]} << 16) | (std::uint64_t{bits[2]} << 32) |
                   (std::uint64_t{bits[3]} << 48);
    }
    return _mm256_cvtph_ps(
        _mm_set_epi64x(static_cast<long long>(words[1]), static_cast<long long>(words[0])));
}

/// The scales of eight blocks.
template <class Format>
struct OctScales {
    static __m256 read(const std::byte* p) { return halfOct<Format::kBytes>(p); }
};
template <>
struct OctScales<FormatMXFP4> {
    static __m256 read(const std::byte* p) {
        std::uint64_t bytes = 0;
        LOADER_UNROLL
        for (std::size_t i = 0; i < 8; ++i)
            bytes |= std::to_integer<std::uint64_t>(p[i * FormatMXFP4::kBytes]) << (8 * i);
        const __m256i exponents = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(bytes)));
        // See quant::halvedE8m0(): the two smallest are no normal numbers.
        const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(exponents, _mm256_set1_epi32(1)), 23);
        const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), exponents);
        const __m256i isNormal = _mm256_cmpgt_epi32(exponents, _mm256_set1_epi32(1));
        return _mm256_castsi256_ps(_mm256_blendv_epi8(small, normal, isNormal));
    }
};

inline float sumEight(__m256 x) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/// Eight blocks in one step, so that scales and minima are read and multiplied as one register.
template <class Format, std::size_t tokens>
struct OctRow {
    static constexpr std::size_t kStep = 256;
    static constexpr std::size_t kSums = tokens == 1 ? 2 : 1;
    Row32<Format, tokens, kSums> state;
    __m256 minima[tokens];

    inline void open(const RowsJob& job, std::size_t firstToken) {
        state.open(job.weights.columns);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            state.parts[t] = tokenParts(job.activation, firstToken + t);
            minima[t] = _mm256_setzero_ps();
        }
    }

    inline void step(const std::byte* row, std::size_t i) {
        const std::size_t b = i / 32;
        const std::byte* data = row + b * Format::kBytes;
        const __m256 scales = OctScales<Format>::read(data);
        alignas(32) float factors[tokens][8];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const __m256 x = _mm256_loadu_ps(state.parts[t].scales + b);
            _mm256_store_ps(factors[t], _mm256_mul_ps(scales, x));
        }
        LOADER_UNROLL
        for (std::size_t u = 0; u < 8; ++u) {
            const __m256i values = Format::values(data + u * Format::kBytes);
            const __m256i magnitudes = Format::kSigned ? _mm256_abs_epi8(values) : values;
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const __m256i x = load256(state.parts[t].values + (b + u) * 32);
                const __m256i integer = addDot(_mm256_setzero_si256(), magnitudes,
                                               Format::kSigned ? _mm256_sign_epi8(x, values) : x);
                __m256& sum = state.sums[t][u % kSums];
                sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integer), _mm256_set1_ps(factors[t][u]), sum);
            }
        }
        if constexpr (Format::kMinimum || Format::kOffset != 0) {
            __m256 off;
            if constexpr (Format::kMinimum) {
                off = halfOct<Format::kBytes>(data + 2);
            } else {
                off = _mm256_mul_ps(scales, _mm256_set1_ps(static_cast<float>(-Format::kOffset)));
            }
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t)
                minima[t] = _mm256_fmadd_ps(off, _mm256_loadu_ps(state.parts[t].sums + b), minima[t]);
        }
    }

    inline void rest(const std::byte* row, std::size_t i) { state.rest(row, i); }
    inline float total(std::size_t t) const {
        return sumEight(_mm256_add_ps(state.total(t), minima[t])) + state.minima[t];
    }
};

template <class Format, std::size_t tokens>
struct Row256 {
    static constexpr std::size_t kStep = 256;
    TokenParts parts[tokens];
    __m256 sums[tokens];

    inline void open(const RowsJob& job, std::size_t firstToken) {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            parts[t] = tokenParts(job.activation, firstToken + t);
            sums[t] = _mm256_setzero_ps();
        }
    }

    inline void step(const std::byte* row, std::size_t i) {
        const std::size_t b = i / 256;
        const std::byte* data = row + b * Format::kBytes;
        const Head head = Format::head(data);
        __m256i integers[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            integers[t] = _mm256_setzero_si256();
        LOADER_UNROLL
        for (int group = 0; group < 8; ++group) {
            const __m256i values = Format::values(data, group);
            const __m256i magnitudes = Format::kSigned ? _mm256_abs_epi8(values) : values;
            const auto pattern = static_cast<short>((2 * group + 1) * 256 + 2 * group);
            const __m256i scales = _mm256_shuffle_epi8(head.scales, _mm256_set1_epi16(pattern));
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const __m256i x = load256(parts[t].values + i + static_cast<std::size_t>(group) * 32);
                const __m256i pairs =
                    _mm256_maddubs_epi16(magnitudes, Format::kSigned ? _mm256_sign_epi8(x, values) : x);
                integers[t] = addPairs(integers[t], pairs, scales);
            }
        }
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const float x = parts[t].scales[b];
            sums[t] =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers[t]), _mm256_set1_ps(head.scale * x), sums[t]);
            if constexpr (!Format::kSigned) {
                const __m256i off =
                    _mm256_madd_epi16(head.corrections, load256(parts[t].evenOddSums + b * 16));
                sums[t] = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(off), _mm256_set1_ps(head.correctionScale * x),
                                           sums[t]);
            }
        }
    }

    inline void rest(const std::byte*, std::size_t) {}
    inline float total(std::size_t t) const { return sumEight(sums[t]); }
};

/// The State of a format for streamRows(). A tier may have a better one for a type: it specialises this.
template <class Format>
struct RowOf32 {
    template <std::size_t tokens>
    using State = OctRow<Format, tokens>;
};
template <class Format>
struct RowOf256 {
    template <std::size_t tokens>
    using State = Row256<Format, tokens>;
};

/// A kernel that wants its activations in another order names it: they are rearranged once for all rows.
///   static std::size_t bytes(columns)      of a token, at most four for each column
///   static void arrange(in, columns, out)
template <class Row>
void intRows(const RowsJob& job) {
    if constexpr (requires { typename Row::Order; }) {
        const std::size_t columns = job.weights.columns;
        const std::size_t step = roundUp(Row::Order::bytes(columns), 64);
        const std::size_t atOnce = job.scratch.bytes / step;
        for (std::size_t first = 0; first < job.tokens; first += atOnce) {
            RowsJob part = job;
            part.activation = job.activation.from(first);
            part.tokens = job.tokens - first < atOnce ? job.tokens - first : atOnce;
            part.out = job.out + first * job.outStride;
            auto* out = reinterpret_cast<std::int8_t*>(job.scratch.data);
            for (std::size_t t = 0; t < part.tokens; ++t) {
                const std::int8_t* in = tokenParts(part.activation, t).values;
                Row::Order::arrange(in, columns, out + t * step);
            }
            streamRows<Row::template State>(part);
        }
    } else {
        streamRows<Row::template State>(job);
    }
}
