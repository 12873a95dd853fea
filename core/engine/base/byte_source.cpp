// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/byte_source.h"

#include <cstring>

namespace loader {

ByteSource::~ByteSource() = default;

Status MemorySource::read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > m_bytes.size() || out.size() > m_bytes.size() - offset) {
        return Error(Errc::F805, {"the end was reached"}, "offset " + std::to_string(offset));
    }
    if (!out.empty()) std::memcpy(out.data(), m_bytes.data() + offset, out.size());
    return {};
}

}  // namespace loader
