// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Memory that the application makes, with a size that can never change again, and hands to a worker: long
// prompts one way, logits the other. Whoever reads copies first and checks the copy: the other end can write
// at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/engine/base/result.h"
#include "core/protocol/channel.h"

namespace loader::protocol {

/// @thread the bytes: none but one end at a time, by agreement
class SharedMemory {
public:
    /// @errors R901 no memory, W609
    static Result<SharedMemory> create(std::uint64_t bytes);
    /// Takes what came over the channel. @errors W609 another size, or its size could still change
    static Result<SharedMemory> adopt(Descriptor descriptor, std::uint64_t bytes);
    SharedMemory(SharedMemory&& other) noexcept;
    SharedMemory& operator=(SharedMemory&& other) = delete;
    ~SharedMemory();

    std::span<std::byte> bytes() { return {m_data, m_size}; }
    std::vector<std::byte> copy() const { return {m_data, m_data + m_size}; }
    std::intptr_t descriptor() const { return m_descriptor.get(); }

private:
    SharedMemory(Descriptor descriptor, std::byte* data, std::size_t size)
        : m_descriptor(std::move(descriptor)), m_data(data), m_size(size) {}
    static Result<SharedMemory> map(Descriptor descriptor, std::uint64_t bytes);

    Descriptor m_descriptor;
    std::byte* m_data = nullptr;
    std::size_t m_size = 0;
};

}  // namespace loader::protocol
