// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a panel of 32 unpacked rows looks like to the tiles of the AVX2 and AVX-512 tiers.

/// values [columns / 4][32 rows][4]; scales and minima [columns / fold][32 rows], fold being 16 or 32
/// columns.
struct IntPanel {
    std::uint8_t* values;
    float* scales;
    /// Minimum per fold: what is multiplied with the activation's sum (per 32: sums or -128-fold offsets, see
    /// the tiles).
    float* minima;
};

inline IntPanel intPanel(const Scratch& scratch) {
    constexpr std::size_t kValues = kPanelRows * kIntPanelColumns;
    constexpr std::size_t kScales = kPanelRows * kIntPanelColumns / 16;
    auto* scales = reinterpret_cast<float*>(scratch.data + kValues);
    return {reinterpret_cast<std::uint8_t*>(scratch.data), scales, scales + kScales};
}

struct PanelRange {
    std::size_t firstRow;
    std::size_t lastRow;  ///< rows beyond it repeat it
    std::size_t firstColumn;
    std::size_t columns;
};
