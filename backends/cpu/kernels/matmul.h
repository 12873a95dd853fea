// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Weight matrix times activations: the one entry for the executor. Starts no threads and allocates nothing;
// the executor gives each thread of its team a range of rows.
#pragma once

#include <cstddef>
#include <memory>

#include "backends/cpu/kernels/kernel_table.h"
#include "backends/cpu/kernels/panel_shape.h"
#include "core/engine/base/result.h"

namespace loader::cpu {

/// From this many tokens on, weights are unpacked in panels; below, rows are read in the file's layout.
/// Measured (docs/adr/0013-few-token-kernels.md): 4 tokens are faster in rows, 6 in panels. Ranges of rows
/// given to threads should then begin at multiples of kPanelRows.
inline constexpr std::size_t kPanelTokens = 6;

/// Bytes of scratch that a thread needs for rows of up to `maxColumns` values, of any type and tier.
std::size_t scratchBytes(std::size_t maxColumns);

/// Owns the scratch of one thread.
class ScratchBuffer {
public:
    /// @errors R901
    static Result<ScratchBuffer> create(std::size_t bytes);
    Scratch view() const { return {m_aligned, m_bytes}; }

private:
    ScratchBuffer(std::unique_ptr<std::byte[]> storage, std::byte* aligned, std::size_t bytes)
        : m_storage(std::move(storage)), m_aligned(aligned), m_bytes(bytes) {}

    std::unique_ptr<std::byte[]> m_storage;
    std::byte* m_aligned = nullptr;
    std::size_t m_bytes = 0;
};

enum class OutputMode : bool { Store, Add };

/// out[token × outStride + row] = weights[row] · activation[token], or += with OutputMode::Add, for every row
/// in [rowBegin, rowEnd) and every token below `tokens`. The activation must be of the kind that
/// kernels.activationKind(weights.type) or wideActivationKind() names.
/// @shape activation [tokens, columns or more], weights [rows, columns]
/// @unit  outStride: floats from token to token
/// @errors none; kind, shape and scratch size are asserted      @thread any; threads may share everything but
/// out rows, scratch
void multiplyRows(const KernelTable& kernels, const WeightView& weights, std::size_t rowBegin,
                  std::size_t rowEnd, const ActivationView& activation, std::size_t tokens, float* out,
                  std::size_t outStride, Scratch scratch, OutputMode mode = OutputMode::Store);

/// Writes one token's record of `kind` at `out` (activationLayout(kind, columns).stride bytes, 64-byte
/// aligned). A block that holds a value that is not finite becomes all NaN; a block whose largest magnitude
/// is below 2^-100 becomes zero.
void quantizeActivation(const KernelTable& kernels, ActivationKind kind, const float* in, std::size_t columns,
                        std::byte* out);

}  // namespace loader::cpu
