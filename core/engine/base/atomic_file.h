// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A file that appears whole or not at all: written beside its place, flushed to the disk, then renamed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/engine/base/result.h"

namespace loader {

/// Without commit() the destructor removes what was written. @thread confined to one thread.
class AtomicFile {
public:
    /// @errors F804 the folder may not be written to, F806 other
    static Result<std::unique_ptr<AtomicFile>> create(const std::string& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /// @errors F806
    Status append(std::span<const std::byte> bytes);
    /// Replaces the file at path. @errors F806
    Status commit();

private:
    AtomicFile(std::string path, std::string temporary, std::intptr_t descriptor);
    Status failure() const;

    std::string m_path;
    std::string m_temporary;
    std::intptr_t m_descriptor;  // kClosed once closed
    bool m_committed = false;
};

}  // namespace loader
