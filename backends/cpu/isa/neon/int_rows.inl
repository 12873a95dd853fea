// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows times few tokens for quantised types, straight from the file's layout: each block is unpacked once and
// multiplied with up to four tokens.

/// Integers of eight bits that an activation consists of. The weights of Q8_0 err by a 1/254 of a block's
/// largest value: activations of 8 bits would err as much again.
template <class Format>
inline constexpr std::size_t kTerms = 1;
template <>
inline constexpr std::size_t kTerms<FormatQ8_0> = 2;

/// An activation's scale is for as many values as a block has.
template <class Format>
inline constexpr ActivationKind kKind = Format::kValues == 256 ? ActivationKind::Q8Block256
                                        : kTerms<Format> == 2  ? ActivationKind::Q8Pair32
                                                               : ActivationKind::Q8Block32;

/// The parts of one token's record.
struct TokenParts {
    const std::int8_t* values;
    const float* scales;
    const float* sums;            ///< per 32 values, scaled; where blocks have 32 values
    const std::int32_t* offsets;  ///< per fold, times -128; where blocks have 256 values
};

template <class Format>
inline TokenParts tokenParts(const ActivationView& activation, std::size_t token) {
    const std::byte* record = activation.token(token);
    const ActivationLayout& layout = activation.layout;
    const std::size_t offsets = Format::kFold == 16 ? layout.offsets16 : layout.offsets32;
    return {reinterpret_cast<const std::int8_t*>(record),
            reinterpret_cast<const float*>(record + layout.scales),
            reinterpret_cast<const float*>(record + layout.sums),
            reinterpret_cast<const std::int32_t*>(record + offsets)};
}

/// Minima times sums of activations of a block of 256.
template <class Format>
inline std::int32_t minimumSum(const Head& head, const std::int32_t* offsets) {
    int32x4_t sum = vdupq_n_s32(0);
    LOADER_UNROLL
    for (std::size_t f = 0; f < Format::kValues / Format::kFold; f += 4)
        sum = vmlaq_s32(sum, vld1q_s32(head.minima + f), vld1q_s32(offsets + f));
    return vaddvq_s32(sum);
}

template <class Format, std::size_t tokens>
struct RowSums {
    // Two sums in turn hide the latency of the additions of short blocks.
    static constexpr std::size_t kSums = Format::kValues == 32 ? 2 : 1;
    static constexpr std::size_t kStep = kSums * Format::kValues;
    TokenParts parts[tokens];
    float32x4_t sums[tokens][kSums];
    float minima[tokens];

    inline void open(const RowsJob& job, std::size_t firstToken) {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            parts[t] = tokenParts<Format>(job.activation, firstToken + t);
            minima[t] = 0.0f;
            LOADER_UNROLL
            for (std::size_t u = 0; u < kSums; ++u)
                sums[t][u] = vdupq_n_f32(0.0f);
        }
    }

    inline void step(const std::byte* row, std::size_t i) {
        const std::size_t b = i / Format::kValues;
        LOADER_UNROLL
        for (std::size_t u = 0; u < kSums; ++u)
            block(row + (b + u) * Format::kBytes, b + u, u);
    }
    inline void rest(const std::byte* row, std::size_t i) {
        block(row + i / Format::kValues * Format::kBytes, i / Format::kValues, 0);
    }
    inline float total(std::size_t t) const {
        float32x4_t total = sums[t][0];
        if constexpr (kSums == 2) total = vaddq_f32(total, sums[t][1]);
        return sumOf({total}) - minima[t];
    }

    inline void multiplyGroup(const Head& head, const Int8x32& w, std::size_t group, std::size_t column,
                              int32x4_t (&integers)[tokens]) const {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const std::int8_t* x = parts[t].values + column * kTerms<Format>;
            const int8x16_t low = vld1q_s8(x);
            const int8x16_t high = vld1q_s8(x + 16);
            const int32x4_t first = addDot(vdupq_n_s32(0), w.low, low);
            if constexpr (Format::kValues == 32) {
                integers[t] = addDot(first, w.high, high);
                if constexpr (kTerms<Format> == 2) {
                    integers[t] = addDot(vshlq_n_s32(integers[t], 8), w.low, vld1q_s8(x + 32));
                    integers[t] = addDot(integers[t], w.high, vld1q_s8(x + 48));
                }
            } else if constexpr (Format::kFold == 32) {
                integers[t] = vmlaq_n_s32(integers[t], addDot(first, w.high, high), head.scales[group]);
            } else {
                const int32x4_t second = addDot(vdupq_n_s32(0), w.high, high);
                integers[t] = vmlaq_n_s32(integers[t], first, head.scales[2 * group]);
                integers[t] = vmlaq_n_s32(integers[t], second, head.scales[2 * group + 1]);
            }
        }
    }

    inline void block(const std::byte* data, std::size_t index, std::size_t slot) {
        constexpr std::size_t kFolds = Format::kValues / Format::kFold;
        const Head head = Format::head(data);
        int32x4_t integers[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            integers[t] = vdupq_n_s32(0);
        LOADER_UNROLL
        for (std::size_t group = 0; group < Format::kValues / 32; ++group) {
            multiplyGroup(head, Format::values(data, static_cast<int>(group)), group,
                          index * Format::kValues + group * 32, integers);
        }
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const float x = parts[t].scales[index];
            sums[t][slot] = vfmaq_n_f32(sums[t][slot], vcvtq_f32_s32(integers[t]), head.scale * x);
            if constexpr (!Format::kMinimum) {
                continue;
            } else if constexpr (Format::kValues == 32) {
                minima[t] += head.minimumScale * parts[t].sums[index];
            } else {
                const std::int32_t sum = minimumSum<Format>(head, parts[t].offsets + index * kFolds);
                minima[t] += head.minimumScale * x * static_cast<float>(sum) * (-1.0f / 128);
            }
        }
    }
};

template <class Format>
struct RowOf {
    template <std::size_t tokens>
    using State = RowSums<Format, tokens>;
};

template <class Format>
void intRows(const RowsJob& job) {
    streamRows<RowOf<Format>::template State>(job);
}
