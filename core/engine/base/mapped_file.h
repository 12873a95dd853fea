// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A regular file opened read-only, read at offsets, and mapped once its content has been validated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/engine/base/byte_source.h"
#include "core/engine/base/result.h"

namespace loader {

/// An open descriptor of a regular file. Directories, pipes and devices are refused before a byte is read.
/// @thread const after open.
class FileSource final : public ByteSource {
public:
    /// @errors F802 missing, F803 not a regular file, F804 not readable, F805 other.
    static Result<std::unique_ptr<FileSource>> open(const std::string& path);
    /// A descriptor that somebody else opened for reading; it is closed with this object, or on failure.
    /// @param name for messages. @errors F803, F805
    static Result<std::unique_ptr<FileSource>> adopt(std::intptr_t descriptor, const std::string& name);
    ~FileSource() override;
    FileSource(const FileSource&) = delete;
    FileSource& operator=(const FileSource&) = delete;

    std::uint64_t size() const override { return m_size; }
    Status read(std::uint64_t offset, std::span<std::byte> out) const override;
    const std::string& path() const { return m_path; }
    /// The descriptor (POSIX) or handle (Windows), owned by this object.
    std::intptr_t descriptor() const { return m_descriptor; }
    /// F801 where the file is no longer as long, or no longer as old, as when it was opened.
    Status checkUnchanged() const;

private:
    FileSource(std::string path, std::intptr_t descriptor, std::uint64_t size, std::int64_t modified);

    std::string m_path;
    std::intptr_t m_descriptor;
    std::uint64_t m_size;
    std::int64_t m_modified;  // nanoseconds since the epoch of the system
};

/// The whole of a file as memory, read-only and shared with the page cache.
class Mapping {
public:
    /// @errors F805 where the system refuses.
    static Result<std::unique_ptr<Mapping>> map(const FileSource& file);
    ~Mapping();
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    std::span<const std::byte> bytes() const { return {m_data, m_size}; }
    /// Asks the system to read ahead; a hint without an answer.
    void willNeed(std::uint64_t offset, std::uint64_t length) const;
    /// Keeps the pages in memory. @return whether the system agreed.
    bool lock() const;

private:
    Mapping(const std::byte* data, std::size_t size) : m_data(data), m_size(size) {}

    const std::byte* m_data;
    std::size_t m_size;
};

}  // namespace loader
