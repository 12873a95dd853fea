// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A model on disk: one GGUF file, or all parts of a split set as one tensor table. Opening validates
// everything; map() is the second stage and uses only the validated table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/mapped_file.h"
#include "core/engine/base/result.h"
#include "core/engine/gguf/file.h"

namespace loader::gguf {

/// "an adapter", "a vision projector" … where the metadata says that the file is no model of its own.
std::optional<std::string_view> sideFileKind(const Metadata& metadata);

/// NAME-00002-of-00005.gguf taken apart; number counts from 1.
struct ShardName {
    std::string prefix;
    std::uint32_t number = 0;
    std::uint32_t count = 0;
    std::string path(std::uint32_t otherNumber) const;
};
std::optional<ShardName> parseShardName(std::string_view path);

struct OpenOptions {
    /// Adapters and projectors are S310 unless the caller asks for them (inspect, adapter loading).
    bool acceptSideFiles = false;
};

/// A file in memory, for tests and fuzzing; its bytes belong to the caller and must outlive the model.
struct MemoryFile {
    std::string path;
    std::span<const std::byte> bytes;
};

/// @thread const after map().
class ModelFile {
public:
    /// Any part of a split set may be named.
    /// @errors GG001 … GG062, S301 … S310, F801 … F805; place names the file
    static Result<std::unique_ptr<ModelFile>> open(const std::string& path, const OpenOptions& options = {});
    /// The same with files that are open already, as a process that may open none is given them.
    static Result<std::unique_ptr<ModelFile>> openFiles(std::vector<std::unique_ptr<FileSource>> files,
                                                        const OpenOptions& options = {});
    /// The same with a folder in memory.
    static Result<std::unique_ptr<ModelFile>> openMemory(std::span<const MemoryFile> folder,
                                                         const std::string& path,
                                                         const OpenOptions& options = {});
    ~ModelFile();
    ModelFile(const ModelFile&) = delete;
    ModelFile& operator=(const ModelFile&) = delete;

    /// Of the first part, which speaks for the model.
    const Metadata& metadata() const;
    ByteOrder byteOrder() const;
    /// Of all parts, in order.
    std::span<const TensorInfo> tensors() const { return m_tensors; }
    const TensorInfo* tensor(std::string_view name) const;
    std::size_t shards() const;
    const File& shard(std::size_t index) const;
    const std::string& shardPath(std::size_t index) const;
    std::uint64_t fileBytes() const;
    /// Of all parts; place names the part.
    const std::vector<Error>& warnings() const { return m_warnings; }

    /// Maps every part. @errors F801 changed since it was read, F805
    Status map();
    bool mapped() const { return m_mapped; }
    /// The bytes of a tensor of this model in the byte order of the file; empty before map().
    std::span<const std::byte> tensorData(const TensorInfo& tensor) const;
    /// Null before map() and for models in memory.
    const Mapping* mapping(std::size_t shard) const;
    /// The source of a part, for readers that do not map.
    const ByteSource& source(std::size_t shard) const;
    /// @errors F801
    Status checkUnchanged() const;

private:
    friend class ModelOpener;
    struct Shard;
    ModelFile();

    std::vector<std::unique_ptr<Shard>> m_shards;
    std::vector<TensorInfo> m_tensors;
    std::vector<std::uint32_t> m_byName;
    std::vector<Error> m_warnings;
    bool m_mapped = false;
};

}  // namespace loader::gguf
