// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Keys and values of all attention layers and sequences. Per layer and sequence [kvHead][position][length],
// so that one head's rows are one stream. Memory for the whole context is reserved and touched only as
// positions come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backends/api/backend.h"
#include "backends/cpu/kernels/kernel_table.h"
#include "core/engine/graph/program.h"

namespace loader::cpu {

/// Bytes of one row of `length` values. q8_0 rows are padded to whole blocks of 32.
std::size_t kvRowBytes(backend::KvType type, std::uint32_t length);

/// Bytes that the cache of a program takes when the context is full.
std::uint64_t kvBytes(const graph::Program& program, std::span<const std::uint32_t> kvLayers,
                      backend::KvType type, std::uint32_t contextTokens, unsigned sequences);

/// @thread rows of different (layer, sequence, head, position) may be written at once.
class KvCache {
public:
    /// @param kvLayers the layers that live here; rows of others must not be asked for. @errors R901
    static Result<KvCache> create(const graph::Program& program, std::span<const std::uint32_t> kvLayers,
                                  backend::KvType type, std::uint32_t contextTokens, unsigned sequences);

    struct Place {
        std::uint32_t kvLayer;
        std::uint32_t sequence;
        std::uint32_t head;
    };
    /// @shape key [keyLength], value [valueLength]
    void store(const VectorKernels& kernels, const Place& place, std::uint32_t position, const float* key,
               const float* value);
    /// Rows [begin, begin + count) as they lie.
    KeyBlock block(const Place& place, std::uint32_t begin, std::uint32_t count) const;

    void copy(std::uint32_t from, std::uint32_t to, std::uint32_t positions);
    void save(std::uint32_t sequence, std::uint32_t positions, std::vector<std::byte>& out) const;
    /// Bytes that save() writes for so many positions.
    std::uint64_t savedBytes(std::uint32_t positions) const;
    void restore(std::uint32_t sequence, std::uint32_t positions, std::span<const std::byte> saved);
    backend::KvType type() const { return m_type; }
    KvFormat format() const;

private:
    /// Keys or values of one layer.
    struct Rows {
        std::uint32_t heads = 0;
        std::uint32_t length = 0;
        std::size_t rowBytes = 0;
        std::size_t headBytes = 0;
        std::size_t sequenceBytes = 0;
        std::unique_ptr<std::byte, void (*)(void*)> data{nullptr, nullptr};
        std::byte* at(std::uint32_t sequence, std::uint32_t head, std::uint32_t position) const {
            return data.get() + sequence * sequenceBytes + head * headBytes + position * rowBytes;
        }
    };
    struct Layer {
        Rows keys;
        Rows values;
    };

    static Status reserve(Rows& rows, std::uint32_t heads, std::uint32_t length, backend::KvType type,
                          std::uint32_t contextTokens, unsigned sequences);
    void storeRow(const VectorKernels& kernels, const Rows& rows, const Place& place, std::uint32_t position,
                  const float* values) const;
    template <class Visit>
    void eachRows(Visit visit) const;

    backend::KvType m_type = backend::KvType::F16;
    std::vector<Layer> m_layers;  // indexed by kvLayer; empty rows for layers that live elsewhere
};

}  // namespace loader::cpu
