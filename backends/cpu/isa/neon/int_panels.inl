// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows times many tokens for quantised types: 32 rows are unpacked to a panel, then every group of four
// tokens sweeps it with a register tile of eight rows by four. A lane of 16 activations is multiplied with
// four rows at once, so that the panel is the only thing that is rearranged.

inline constexpr std::size_t kIntTileTokens = 4;
inline constexpr std::size_t kIntTileRows = 8;

/// values [columns / 4][32 rows][4]; scales and minima [columns / fold][32 rows].
struct IntPanel {
    std::int8_t* values;
    float* scales;
    float* minima;  ///< what the sum of the activations of a fold is multiplied with and taken off
};

inline IntPanel intPanel(const Scratch& scratch) {
    constexpr std::size_t kValues = kPanelRows * kIntPanelColumns;
    constexpr std::size_t kScales = kPanelRows * kIntPanelColumns / 16;
    auto* scales = reinterpret_cast<float*>(scratch.data + kValues);
    return {reinterpret_cast<std::int8_t*>(scratch.data), scales, scales + kScales};
}

struct PanelRange {
    std::size_t firstRow;
    std::size_t lastRow;  ///< rows beyond it repeat it
    std::size_t firstColumn;
    std::size_t columns;
};

/// Four rows of 16 values to their place in the panel.
inline void storeSquare(const int8x16_t (&rows)[4], std::int8_t* out) {
    uint32x4_t square[4];
    for (std::size_t r = 0; r < 4; ++r)
        square[r] = vreinterpretq_u32_s8(rows[r]);
    transpose4x4(square);
    for (std::size_t k = 0; k < 4; ++k)
        vst1q_s8(out + k * kPanelRows * 4, vreinterpretq_s8_u32(square[k]));
}

template <class Format>
inline void unpackBlocks(const std::byte* const (&blocks)[4], std::size_t column, std::size_t row,
                         const IntPanel& panel) {
    for (std::size_t r = 0; r < 4; ++r) {
        const Head head = Format::head(blocks[r]);
        for (std::size_t f = 0; f < Format::kValues / Format::kFold; ++f) {
            const std::size_t place = (column / Format::kFold + f) * kPanelRows + row + r;
            panel.scales[place] = head.scale * static_cast<float>(head.scales[f]);
            if constexpr (Format::kMinimum)
                panel.minima[place] = head.minimumScale * static_cast<float>(head.minima[f]);
        }
    }
    for (std::size_t group = 0; group < Format::kValues / 32; ++group) {
        int8x16_t low[4], high[4];
        for (std::size_t r = 0; r < 4; ++r) {
            const Int8x32 values = Format::values(blocks[r], static_cast<int>(group));
            low[r] = values.low;
            high[r] = values.high;
        }
        std::int8_t* out = panel.values + (column + group * 32) * kPanelRows + row * 4;
        storeSquare(low, out);
        storeSquare(high, out + 16 * kPanelRows);
    }
}

template <class Format>
inline void unpackPanel(const WeightView& weights, const PanelRange& range, const IntPanel& panel) {
    const std::size_t firstByte = range.firstColumn / Format::kValues * Format::kBytes;
    for (std::size_t group = 0; group < kPanelRows; group += 4) {
        const std::byte* blocks[4];
        for (std::size_t r = 0; r < 4; ++r) {
            const std::size_t row = range.firstRow + group + r;
            const std::size_t held = row < range.lastRow ? row : range.lastRow;
            blocks[r] = weights.data + held * weights.rowBytes + firstByte;
        }
        for (std::size_t column = 0; column < range.columns; column += Format::kValues) {
            unpackBlocks<Format>(blocks, column, group, panel);
            for (const std::byte*& block : blocks)
                block += Format::kBytes;
        }
    }
}

/// Sum of one token's activations of a fold, as what the panel's minima are multiplied with.
template <class Format>
inline float foldSum(const TokenParts& parts, std::size_t fold, float scale) {
    if constexpr (Format::kValues == 32) return parts.sums[fold];
    return static_cast<float>(parts.offsets[fold]) * scale * (-1.0f / 128);
}

/// Eight rows by a few tokens: integer sums of the fold at hand, float sums of all.
template <class Format, std::size_t tokens>
struct IntTile {
    TokenParts parts[tokens];
    int32x4_t low[tokens], high[tokens];
    float32x4_t lowSums[tokens], highSums[tokens];

    template <int lane>
    inline void addLane(const std::int8_t* values, const int8x16_t (&x)[tokens]) {
        holdLoads();
        const int8x16_t first = vld1q_s8(values + lane * kPanelRows * 4);
        const int8x16_t second = vld1q_s8(values + lane * kPanelRows * 4 + 16);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            low[t] = addDotLane<lane>(low[t], first, x[t]);
            high[t] = addDotLane<lane>(high[t], second, x[t]);
        }
    }

    /// Adds 16 columns, whose activations are at `place` of the records.
    inline void addColumns(const std::int8_t* values, std::size_t place) {
        int8x16_t x[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            x[t] = vld1q_s8(parts[t].values + place);
        addLane<0>(values, x);
        addLane<1>(values, x);
        addLane<2>(values, x);
        addLane<3>(values, x);
    }

    /// Makes room for the low terms of the activations.
    inline void shift() {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            low[t] = vshlq_n_s32(low[t], 8);
            high[t] = vshlq_n_s32(high[t], 8);
        }
    }

    inline void multiplyFold(const std::int8_t* values, std::size_t column) {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            low[t] = high[t] = vdupq_n_s32(0);
        LOADER_UNROLL
        for (std::size_t term = 0; term < kTerms<Format>; ++term) {
            if (term != 0) shift();
            LOADER_UNROLL
            for (std::size_t k = 0; k < Format::kFold; k += 16)
                addColumns(values + k * kPanelRows, column * kTerms<Format> + term * 32 + k);
        }
    }

    inline void scaleFold(const float* scales, const float* minima, std::size_t column) {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            const float x = parts[t].scales[column / Format::kValues];
            const float32x4_t lowScale = vmulq_n_f32(vld1q_f32(scales), x);
            const float32x4_t highScale = vmulq_n_f32(vld1q_f32(scales + 4), x);
            lowSums[t] = vfmaq_f32(lowSums[t], vcvtq_f32_s32(low[t]), lowScale);
            highSums[t] = vfmaq_f32(highSums[t], vcvtq_f32_s32(high[t]), highScale);
            if constexpr (Format::kMinimum) {
                const float sum = foldSum<Format>(parts[t], column / Format::kFold, x);
                lowSums[t] = vfmsq_n_f32(lowSums[t], vld1q_f32(minima), sum);
                highSums[t] = vfmsq_n_f32(highSums[t], vld1q_f32(minima + 4), sum);
            }
        }
    }
};

template <class Format, std::size_t tokens>
void sweep(const IntPanel& panel, const PanelRange& range, const ActivationView& activation,
           std::size_t firstToken, float* out) {
    IntTile<Format, tokens> tile;
    for (std::size_t t = 0; t < tokens; ++t)
        tile.parts[t] = tokenParts<Format>(activation, firstToken + t);
    for (std::size_t row = 0; row < kPanelRows; row += kIntTileRows) {
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            tile.lowSums[t] = tile.highSums[t] = vdupq_n_f32(0.0f);
        for (std::size_t column = 0; column < range.columns; column += Format::kFold) {
            const std::size_t fold = column / Format::kFold * kPanelRows + row;
            tile.multiplyFold(panel.values + column * kPanelRows + row * 4, range.firstColumn + column);
            tile.scaleFold(panel.scales + fold, panel.minima + fold, range.firstColumn + column);
        }
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            vst1q_f32(out + t * kPanelRows + row, tile.lowSums[t]);
            vst1q_f32(out + t * kPanelRows + row + 4, tile.highSums[t]);
        }
    }
}

using IntSweep = void (*)(const IntPanel&, const PanelRange&, const ActivationView&, std::size_t, float*);

template <class Format>
inline constexpr IntSweep kSweeps[kIntTileTokens + 1] = {nullptr, sweep<Format, 1>, sweep<Format, 2>,
                                                         sweep<Format, 3>, sweep<Format, 4>};

template <class Format>
void intPanels(const RowsJob& job) {
    const IntPanel panel = intPanel(job.scratch);
    alignas(64) float tile[kIntTileTokens * kPanelRows];
    for (std::size_t row = job.rowBegin; row < job.rowEnd; row += kPanelRows) {
        for (std::size_t column = 0; column < job.weights.columns; column += kIntPanelColumns) {
            const std::size_t left = job.weights.columns - column;
            const PanelRange range{row, job.rowEnd - 1, column,
                                   left < kIntPanelColumns ? left : kIntPanelColumns};
            unpackPanel<Format>(job.weights, range, panel);
            for (std::size_t t = 0; t < job.tokens; t += kIntTileTokens) {
                const std::size_t tokens = job.tokens - t < kIntTileTokens ? job.tokens - t : kIntTileTokens;
                kSweeps<Format>[tokens](panel, range, job.activation, t, tile);
                emitTile(job, tile, row, t, tokens, job.accumulate || column != 0);
            }
        }
    }
}

template <class Format>
struct IntSlot {
    static constexpr ActivationKind kActivation = kKind<Format>;
    static constexpr RowsKernel kRows = intRows<Format>;
    static constexpr RowsKernel kPanels = intPanels<Format>;
};
