// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The file's tensors by name, taken one by one into the program's weight table with their shape and type
// checked.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/gguf/file.h"
#include "core/engine/graph/program.h"

namespace loader::arch {

/// A shape the architecture expects. @shape [slices, rows, columns]
struct Shape {
    std::uint64_t columns = 1;
    std::uint64_t rows = 1;
    std::uint64_t slices = 1;
};

class TensorTable {
public:
    TensorTable(std::span<const gguf::TensorInfo> tensors, graph::Program& program);

    /// M130 where a tensor whose name ends in ".weight" has a type that no matrix can have.
    Status checkTypes() const;
    bool has(const std::string& name) const { return m_byName.contains(name); }
    const gguf::TensorInfo* find(const std::string& name) const;
    /// @errors M123 missing, M125 shape, M130 type
    Result<graph::TensorId> take(const std::string& name, const Shape& shape);
    /// kNone where the file has no such tensor.
    Result<graph::TensorId> takeOptional(const std::string& name, const Shape& shape);
    /// Names that nobody took.
    std::vector<std::string> untaken() const;

private:
    std::span<const gguf::TensorInfo> m_tensors;
    graph::Program& m_program;
    std::unordered_map<std::string_view, std::uint32_t> m_byName;
    std::vector<bool> m_taken;
    std::unordered_map<std::uint32_t, graph::TensorId> m_ids;
};

}  // namespace loader::arch
