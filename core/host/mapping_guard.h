// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Survives a model file that is cut short while it is mapped. Reading beyond its new end raises SIGBUS;
// inside a guarded range the handler puts zero pages there and marks the model as damaged, so that the answer
// can be ended with F801. Anywhere else the signal does what it always does. On Windows nothing is needed: a
// file that is mapped cannot be cut short there.
#pragma once

#include <cstddef>
#include <span>

namespace loader::host {

/// @thread create and destroy from any thread; must go before the mapping does.
class MappingGuard {
public:
    /// Ranges beyond kCapacity are not guarded; see active().
    static constexpr std::size_t kCapacity = 1024;

    explicit MappingGuard(std::span<const std::byte> range);
    ~MappingGuard();
    MappingGuard(const MappingGuard&) = delete;
    MappingGuard& operator=(const MappingGuard&) = delete;

    bool active() const { return m_slot != kCapacity; }
    /// Whether a page of the range was missing; what was computed since then is worthless.
    bool damaged() const;

private:
    std::size_t m_slot = kCapacity;
};

}  // namespace loader::host
