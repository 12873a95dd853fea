// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Shape of the panels that weights are unpacked to, shared by the kernels and by who sizes their scratch.
#pragma once

#include <cstddef>

namespace loader::cpu {

/// Rows of one panel.
inline constexpr std::size_t kPanelRows = 32;
/// Columns of one integer panel: 128 KiB of values stay in a second-level cache.
inline constexpr std::size_t kIntPanelColumns = 4096;
/// Values, and per 16 columns and row a scale and a minimum.
inline constexpr std::size_t kPanelScratchBytes =
    kPanelRows * kIntPanelColumns + 2 * kPanelRows * (kIntPanelColumns / 16) * sizeof(float);

}  // namespace loader::cpu
