// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Writes GGUF files: any version and byte order that the reader knows, one file or a split set. The same
// input gives the same bytes. What the reader would refuse is refused here, with the same code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/gguf/metadata.h"
#include "core/engine/quant/tensor_type.h"

namespace loader::gguf {

struct WriteOptions {
    std::uint32_t version = 3;
    ByteOrder byteOrder = ByteOrder::Little;
};

/// Fills out with the bytes of a tensor from offset on. Called with rising offsets.
using TensorDataSource = std::function<Status(std::uint64_t offset, std::span<std::byte> out)>;

/// @thread confined to one thread.
class Writer {
public:
    explicit Writer(const WriteOptions& options = {}) : m_options(options) {}

    /// Written in the order in which keys were first set.
    Metadata& metadata() { return m_metadata; }
    const Metadata& metadata() const { return m_metadata; }
    /// The same as setting general.alignment. @unit bytes
    void setAlignment(std::uint32_t alignment);

    /// Bytes go out as given: for a big-endian file they must be big-endian. data must live until the file is
    /// written.
    /// @shape dims: 1 to 4 numbers, the row length first
    void addTensor(std::string_view name, quant::TensorType type, std::span<const std::uint64_t> dims,
                   std::span<const std::byte> data);
    void addTensor(std::string_view name, quant::TensorType type, std::span<const std::uint64_t> dims,
                   TensorDataSource data);

    /// The whole file in memory. @errors GG0xx what the reader would refuse; X001 data of the wrong length
    Result<std::vector<std::byte>> toBytes() const;
    /// Writes a temporary file beside path, then renames it. @errors as toBytes(), F806
    Status write(const std::string& path) const;

    /// PREFIX-00001-of-0000N.gguf …: the metadata goes into the first part, at most tensorsPerShard tensors
    /// into each.
    /// @return the paths. @errors as write(), S302
    Result<std::vector<std::string>> writeSplit(const std::string& prefix, std::size_t tensorsPerShard) const;
    /// The same in memory, one element per part.
    Result<std::vector<std::vector<std::byte>>> splitToBytes(std::size_t tensorsPerShard) const;

private:
    struct Tensor {
        std::string name;
        quant::TensorType type;
        std::vector<std::uint64_t> dims;
        std::span<const std::byte> data;
        TensorDataSource source;
    };
    struct Layout;
    using Sink = std::function<Status(std::span<const std::byte>)>;

    Result<Layout> layOut(const Metadata& metadata, std::span<const Tensor> tensors) const;
    Status emit(const Layout& layout, std::span<const Tensor> tensors, const Sink& sink) const;
    Status emitTensor(const Tensor& tensor, std::uint64_t bytes, const Sink& sink) const;
    Result<std::vector<std::byte>> bytesOf(const Metadata& metadata, std::span<const Tensor> tensors) const;
    Status writeTo(const std::string& path, const Metadata& metadata, std::span<const Tensor> tensors) const;
    Result<std::size_t> shardCount(std::size_t tensorsPerShard) const;
    std::span<const Tensor> shardTensors(std::size_t number, std::size_t tensorsPerShard) const;
    Metadata shardMetadata(std::size_t number, std::size_t count) const;

    WriteOptions m_options;
    Metadata m_metadata;
    std::vector<Tensor> m_tensors;
};

}  // namespace loader::gguf
