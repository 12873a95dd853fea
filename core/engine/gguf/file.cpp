// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/file.h"

#include <algorithm>

#include "core/engine/gguf/file_reader.h"
#include "core/engine/gguf/lean_file.h"

namespace loader::gguf {

Result<File> File::parse(const ByteSource& source, const ParseOptions& options) {
    return FileReader(source, options).read();
}

Result<File> parseLean(const ByteSource& source, const ParseOptions& options) {
    return FileReader(source, options, true).read();
}

const TensorInfo* File::tensor(std::string_view name) const {
    const auto place = std::lower_bound(
        m_byName.begin(), m_byName.end(), name,
        [this](std::uint32_t index, std::string_view n) { return m_tensors[index].name < n; });
    if (place == m_byName.end() || m_tensors[*place].name != name) return nullptr;
    return &m_tensors[*place];
}

}  // namespace loader::gguf
