// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The steps of File::parse. Each looks at one part of the file; none asks for memory before the bytes are
// there.
#pragma once

#include <cstdint>

#include "core/engine/base/result.h"
#include "core/engine/gguf/file.h"
#include "core/engine/gguf/source_reader.h"

namespace loader::gguf {

class FileReader {
public:
    /// @param lean leaves long arrays out (lean_file.h)
    FileReader(const ByteSource& source, const ParseOptions& options, bool lean = false)
        : m_reader(source, options.windowBytes), m_lean(lean) {}
    Result<File> read();

private:
    struct TensorRecord {
        TensorInfo info;
        std::array<char, kMaxTensorNameBytes> name{};
        std::size_t nameBytes = 0;
    };

    Status readMagicAndVersion();
    Status readCounts();
    Status readMetadata();
    Status checkAlignment();
    Status readTensors();
    Status readTensor(TensorRecord& record);
    Status readName(TensorRecord& record);
    Status readShape(TensorRecord& record);
    Status readType(TensorRecord& record, std::uint64_t start);
    Status checkNames();
    Status locateData();
    Status placeTensors();
    Status placeTensor(TensorInfo& tensor, const TensorInfo* before, std::uint64_t& end);
    Status checkPadding(std::uint64_t begin, std::uint64_t end);
    void warn(Error warning);
    std::uint64_t dimensionBytes() const { return m_file.m_version == 1 ? 4 : 8; }
    std::uint64_t smallestTensor() const;

    SourceReader m_reader;
    bool m_lean;
    File m_file;
    std::uint64_t m_tensorCount = 0;
    std::uint64_t m_entryCount = 0;
    std::uint64_t m_tableEnd = 0;
};

}  // namespace loader::gguf
