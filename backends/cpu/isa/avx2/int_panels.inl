// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows times many tokens for quantised types: the sweep of all tokens over each unpacked panel, and the slots
// of the table. Included by the AVX2 and the AVX-512 tier after their int_tile.inl, which offers
// Tile32<Format> and Tile256<Format>.

template <class Format>
struct Family32 {
    using Tile = Tile32<Format>;
    static constexpr std::size_t kColumns = kIntPanelColumns;
    static void unpack(const WeightView& weights, const PanelRange& range, const IntPanel& panel) {
        unpack32<Format>(weights, range, panel);
    }
};

template <class Format>
struct Family256 {
    using Tile = Tile256<Format>;
    static constexpr std::size_t kColumns = kIntPanelColumns;
    static void unpack(const WeightView& weights, const PanelRange& range, const IntPanel& panel) {
        unpack256<Format>(weights, range, panel);
    }
};

template <class Family>
void intPanels(const RowsJob& job) {
    const IntPanel panel = intPanel(job.scratch);
    alignas(64) float tile[kIntTileTokens * kPanelRows];
    for (std::size_t row = job.rowBegin; row < job.rowEnd; row += kPanelRows) {
        for (std::size_t column = 0; column < job.weights.columns; column += Family::kColumns) {
            const std::size_t left = job.weights.columns - column;
            const PanelRange range{row, job.rowEnd - 1, column,
                                   left < Family::kColumns ? left : Family::kColumns};
            Family::unpack(job.weights, range, panel);
            for (std::size_t t = 0; t < job.tokens; t += kIntTileTokens) {
                const std::size_t tokens = job.tokens - t < kIntTileTokens ? job.tokens - t : kIntTileTokens;
                Family::Tile::kSweeps[tokens](panel, range, job.activation, t, tile);
                emitTile(job, tile, row, t, tokens, job.accumulate || column != 0);
            }
        }
    }
}

/// Kernels of a 32-block format for activations of two terms.
template <class Format>
struct ExactSlot32 {
    static constexpr RowsKernel kExactRows = intRows<RowOfTerms<TwoTerms<Format>>>;
    static constexpr RowsKernel kExactPanels = intPanels<Family32<TwoTerms<Format>>>;
};

template <class Format>
struct Slot32 {
    static constexpr ActivationKind kActivation = ActivationKind::Q8Block32;
    static constexpr RowsKernel kRows = intRows<RowOf32<Format>>;
    static constexpr RowsKernel kPanels = intPanels<Family32<Format>>;
};

template <class Format>
struct Slot256 {
    static constexpr ActivationKind kActivation = ActivationKind::Q8Block256;
    static constexpr RowsKernel kRows = intRows<RowOf256<Format>>;
    static constexpr RowsKernel kPanels = intPanels<Family256<Format>>;
};
