// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows times many tokens in float: 32 rows are converted to a panel f32[k][32], then every group of six
// tokens sweeps it with a register tile of two vectors by six. Written against the vector vocabulary.

/// Columns of one float panel: 128 KiB of panel and 32 KiB of converted rows stay in a second-level cache.
/// A multiple of every block length.
inline constexpr std::size_t kFloatPanelColumns = 1024;
inline constexpr std::size_t kTileTokens = 6;

static_assert(kFloatPanelColumns * (kPanelRows + 8) * sizeof(float) <= kPanelScratchBytes);

template <class Source>
struct RowToFloat {
    static void convert(const WeightView&, const std::byte* in, float* out, std::size_t count) {
        std::size_t i = 0;
        for (; i + kLanes <= count; i += kLanes)
            store(out + i, Source::read(in + i * Source::kBytes));
        if (i < count) storePart(out + i, Source::readPart(in + i * Source::kBytes, count - i), count - i);
    }
    static std::size_t byteOffset(const WeightView&, std::size_t column) { return column * Source::kBytes; }
};

struct AnyTypeToFloat {
    static void convert(const WeightView& weights, const std::byte* in, float* out, std::size_t count) {
        quant::dequantizeRow(weights.type, in, out, count);
    }
    static std::size_t byteOffset(const WeightView& weights, std::size_t column) {
        const quant::TypeInfo& info = quant::typeInfo(weights.type);
        return column / info.blockValues * info.blockBytes;
    }
};

/// Rows [firstRow, firstRow + 32) clamped to lastRow, columns [firstColumn, firstColumn + count) as
/// panel[k][32].
template <class Converter>
inline void unpackFloatPanel(const WeightView& weights, std::size_t firstRow, std::size_t lastRow,
                             std::size_t firstColumn, std::size_t count, float* panel, float* rowSpace) {
    for (std::size_t group = 0; group < kPanelRows; group += 8) {
        const float* rows[8];
        for (std::size_t r = 0; r < 8; ++r) {
            const std::size_t row = firstRow + group + r < lastRow ? firstRow + group + r : lastRow;
            float* converted = rowSpace + r * kFloatPanelColumns;
            const std::byte* in =
                weights.data + row * weights.rowBytes + Converter::byteOffset(weights, firstColumn);
            Converter::convert(weights, in, converted, count);
            rows[r] = converted;
        }
        std::size_t k = 0;
        for (; k + 8 <= count; k += 8)
            transpose8x8(rows, k, panel + k * kPanelRows + group, kPanelRows);
        for (; k < count; ++k) {
            for (std::size_t r = 0; r < 8; ++r)
                panel[k * kPanelRows + group + r] = rows[r][k];
        }
    }
}

/// Adds or stores a finished tile [tokens][32] into the output.
inline void emitTile(const RowsJob& job, const float* tile, std::size_t firstRow, std::size_t firstToken,
                     std::size_t tokens, bool addToOutput) {
    const std::size_t rows = job.rowEnd - firstRow < kPanelRows ? job.rowEnd - firstRow : kPanelRows;
    for (std::size_t t = 0; t < tokens; ++t) {
        float* out = job.out + (firstToken + t) * job.outStride + firstRow;
        const float* in = tile + t * kPanelRows;
        std::size_t r = 0;
        for (; r + kLanes <= rows; r += kLanes) {
            store(out + r, addToOutput ? add(load(in + r), load(out + r)) : load(in + r));
        }
        for (; r < rows; ++r)
            out[r] = addToOutput ? out[r] + in[r] : in[r];
    }
}

template <std::size_t tokens>
inline void multiplyFloatTile(const float* panel, std::size_t count, const ActivationView& activation,
                              std::size_t firstToken, std::size_t firstColumn, float* tile) {
    const float* x[tokens];
    for (std::size_t t = 0; t < tokens; ++t)
        x[t] = activation.floats(firstToken + t) + firstColumn;
    for (std::size_t half = 0; half < kPanelRows; half += 2 * kLanes) {
        Floats low[tokens];
        Floats high[tokens];
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            low[t] = high[t] = zero();
        for (std::size_t k = 0; k < count; ++k) {
            const Floats first = load(panel + k * kPanelRows + half);
            const Floats second = load(panel + k * kPanelRows + half + kLanes);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t) {
                const Floats value = broadcast(x[t][k]);
                low[t] = multiplyAdd(first, value, low[t]);
                high[t] = multiplyAdd(second, value, high[t]);
            }
        }
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            store(tile + t * kPanelRows + half, low[t]);
            store(tile + t * kPanelRows + half + kLanes, high[t]);
        }
    }
}

using FloatTile = void (*)(const float*, std::size_t, const ActivationView&, std::size_t, std::size_t,
                           float*);
inline constexpr FloatTile kFloatTiles[kTileTokens + 1] = {nullptr,
                                                           multiplyFloatTile<1>,
                                                           multiplyFloatTile<2>,
                                                           multiplyFloatTile<3>,
                                                           multiplyFloatTile<4>,
                                                           multiplyFloatTile<5>,
                                                           multiplyFloatTile<6>};

template <class Converter>
void floatPanels(const RowsJob& job) {
    auto* panel = reinterpret_cast<float*>(job.scratch.data);
    float* rowSpace = panel + kFloatPanelColumns * kPanelRows;
    alignas(64) float tile[kTileTokens * kPanelRows];
    for (std::size_t row = job.rowBegin; row < job.rowEnd; row += kPanelRows) {
        for (std::size_t column = 0; column < job.weights.columns; column += kFloatPanelColumns) {
            const std::size_t left = job.weights.columns - column;
            const std::size_t count = left < kFloatPanelColumns ? left : kFloatPanelColumns;
            unpackFloatPanel<Converter>(job.weights, row, job.rowEnd - 1, column, count, panel, rowSpace);
            for (std::size_t t = 0; t < job.tokens; t += kTileTokens) {
                const std::size_t tokens = job.tokens - t < kTileTokens ? job.tokens - t : kTileTokens;
                kFloatTiles[tokens](panel, count, job.activation, t, column, tile);
                emitTile(job, tile, row, t, tokens, job.accumulate || column != 0);
            }
        }
    }
}
