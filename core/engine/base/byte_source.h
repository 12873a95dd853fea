// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Random-access bytes of known length: a file or memory. Readers of hostile input take this, not a path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/engine/base/result.h"

namespace loader {

/// @thread read() may be called from several threads at once.
class ByteSource {
public:
    virtual ~ByteSource();
    virtual std::uint64_t size() const = 0;
    /// Fills the whole of out from offset. @errors F805 where the source ends or the device fails.
    virtual Status read(std::uint64_t offset, std::span<std::byte> out) const = 0;
};

/// Bytes that somebody else owns and keeps alive.
class MemorySource final : public ByteSource {
public:
    explicit MemorySource(std::span<const std::byte> bytes) : m_bytes(bytes) {}
    std::uint64_t size() const override { return m_bytes.size(); }
    Status read(std::uint64_t offset, std::span<std::byte> out) const override;

private:
    std::span<const std::byte> m_bytes;
};

}  // namespace loader
