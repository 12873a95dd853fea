// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Reads the key/value part of a file into a Metadata, entry by entry, under the limits of limits.h.
#pragma once

#include <cstdint>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/gguf/metadata.h"
#include "core/engine/gguf/source_reader.h"

namespace loader::gguf {

class MetadataReader {
public:
    /// @param longest arrays with more elements are walked over and left out
    /// @unit bytesAfter: the least that the tensor table after the metadata needs
    MetadataReader(SourceReader& reader, std::uint64_t entries, std::uint64_t bytesAfter,
                   std::uint64_t longest)
        : m_reader(reader), m_entriesLeft(entries), m_bytesAfter(bytesAfter), m_longest(longest) {}

    /// @errors GG010 … GG023, GG062
    Result<Metadata> read();
    /// Keys that differ only in case (GG013).
    std::vector<Error>& warnings() { return m_warnings; }

    /// The least an entry can take: length, one byte of key, type.
    static std::uint64_t smallestEntry(const SourceReader& reader) { return reader.lengthBytes() + 1 + 4; }

private:
    Status readEntry();
    Status readValue(Metadata::Entry& entry, std::uint64_t start);
    Status readScalar(Metadata::Entry& entry);
    Status readText(Metadata::Entry& entry);
    Status readArray(Metadata::Entry& entry);
    Status readTexts(Metadata::Entry& entry, std::uint64_t count);
    Status passTexts(std::uint64_t count);
    Status readNumbers(Metadata::Entry& entry, std::uint64_t count, std::uint64_t start);
    Status checkRoom(std::uint64_t bytes, std::string_view what) const;
    Status checkDuplicates();
    std::string keyOf(const Metadata::Entry& entry) const;

    SourceReader& m_reader;
    std::uint64_t m_entriesLeft;
    std::uint64_t m_bytesAfter;
    std::uint64_t m_longest;
    Metadata m_metadata;
    std::vector<Error> m_warnings;
};

}  // namespace loader::gguf
