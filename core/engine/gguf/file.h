// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One GGUF file: header, metadata and tensor table, validated as hostile input. Reads through a ByteSource
// and never maps; what it accepts may be mapped. The rules are in docs/formats/gguf.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/engine/base/byte_source.h"
#include "core/engine/base/result.h"
#include "core/engine/gguf/limits.h"
#include "core/engine/gguf/metadata.h"
#include "core/engine/quant/tensor_type.h"

namespace loader::gguf {

struct TensorInfo {
    std::string_view name;  // owned by the File
    quant::TensorType type = quant::TensorType::F32;
    std::uint8_t rank = 1;
    std::uint32_t shard = 0;
    /// @shape row length first; 1 beyond the rank
    std::array<std::uint64_t, kMaxRank> dims = {1, 1, 1, 1};
    /// @unit bytes from the start of its file
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;

    std::span<const std::uint64_t> shape() const { return {dims.data(), rank}; }
    /// Never wraps: the product was checked when the table was read.
    std::uint64_t elements() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
};

struct ParseOptions {
    /// Size of the reading window; any size gives the same answer.
    std::size_t windowBytes = 64 * 1024;
};

/// @thread const after parse.
class File {
public:
    /// Memory stays below 4 x the bytes read + 1 MiB.
    /// @errors GG001 … GG062, F801, F805; place is the byte offset, the caller adds the file name
    static Result<File> parse(const ByteSource& source, const ParseOptions& options = {});

    std::uint32_t version() const { return m_version; }
    /// Of the whole file, tensor data included.
    ByteOrder byteOrder() const { return m_byteOrder; }
    std::uint64_t alignment() const { return m_alignment; }
    std::uint64_t fileBytes() const { return m_fileBytes; }
    /// Where tensor data begins. @unit bytes
    std::uint64_t dataOffset() const { return m_dataOffset; }
    const Metadata& metadata() const { return m_metadata; }
    /// In file order.
    std::span<const TensorInfo> tensors() const { return m_tensors; }
    const TensorInfo* tensor(std::string_view name) const;
    /// Oddities that do not prevent use: GG013 keys that differ only in case, GG060 extra bytes, GG061
    /// padding.
    const std::vector<Error>& warnings() const { return m_warnings; }

private:
    friend class FileReader;

    std::uint32_t m_version = 0;
    ByteOrder m_byteOrder = ByteOrder::Little;
    std::uint64_t m_alignment = kDefaultAlignment;
    std::uint64_t m_fileBytes = 0;
    std::uint64_t m_dataOffset = 0;
    Metadata m_metadata;
    std::vector<char> m_names;
    std::vector<TensorInfo> m_tensors;
    std::vector<std::uint32_t> m_byName;
    std::vector<Error> m_warnings;
};

}  // namespace loader::gguf
