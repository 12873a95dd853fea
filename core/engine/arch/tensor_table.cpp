// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/arch/tensor_table.h"

namespace loader::arch {
namespace {

/// As the file writes it: row length first, trailing ones left out.
std::string shapeText(std::uint64_t columns, std::uint64_t rows, std::uint64_t slices) {
    std::string text = "[" + std::to_string(columns);
    if (rows != 1 || slices != 1) text += ", " + std::to_string(rows);
    if (slices != 1) text += ", " + std::to_string(slices);
    return text + "]";
}

std::string shapeText(const Shape& shape) {
    return shapeText(shape.columns, shape.rows, shape.slices);
}

bool isWeightType(quant::TensorType type) {
    return quant::typeInfo(type).role == quant::TypeRole::Weight;
}

}  // namespace

TensorTable::TensorTable(std::span<const gguf::TensorInfo> tensors, graph::Program& program)
    : m_tensors(tensors), m_program(program), m_taken(tensors.size(), false) {
    m_byName.reserve(tensors.size());
    for (std::uint32_t i = 0; i < tensors.size(); ++i)
        m_byName.emplace(tensors[i].name, i);
}

Status TensorTable::checkTypes() const {
    for (const gguf::TensorInfo& tensor : m_tensors) {
        if (tensor.name.ends_with(".weight") && !isWeightType(tensor.type)) {
            return Error(Errc::M130, {std::string(tensor.name), std::string(quant::typeName(tensor.type))},
                         std::string(tensor.name));
        }
    }
    return {};
}

const gguf::TensorInfo* TensorTable::find(const std::string& name) const {
    const auto found = m_byName.find(name);
    return found == m_byName.end() ? nullptr : &m_tensors[found->second];
}

Result<graph::TensorId> TensorTable::take(const std::string& name, const Shape& shape) {
    const auto found = m_byName.find(name);
    if (found == m_byName.end()) return Error(Errc::M123, {name, shapeText(shape)}, name);
    const gguf::TensorInfo& tensor = m_tensors[found->second];
    if (!isWeightType(tensor.type)) {
        return Error(Errc::M130, {name, std::string(quant::typeName(tensor.type))}, name);
    }
    // A vector may be stored with extra dimensions of one, and nothing else may differ.
    const bool fits = tensor.dims[0] == shape.columns && tensor.dims[1] == shape.rows &&
                      tensor.dims[2] == shape.slices && tensor.dims[3] == 1;
    if (!fits) {
        return Error(Errc::M125,
                     {name, shapeText(tensor.dims[0], tensor.dims[1], tensor.dims[2] * tensor.dims[3]),
                      shapeText(shape)},
                     name);
    }
    m_taken[found->second] = true;
    // Tied weights are one entry.
    if (const auto known = m_ids.find(found->second); known != m_ids.end()) return known->second;
    graph::WeightRef weight;
    weight.name = name;
    weight.type = tensor.type;
    weight.columns = shape.columns;
    weight.rows = shape.rows;
    weight.slices = shape.slices;
    weight.rowBytes = tensor.bytes / (shape.rows * shape.slices);
    weight.bytes = tensor.bytes;
    weight.fileTensor = found->second;
    const auto id = static_cast<graph::TensorId>(m_program.weights.size());
    m_program.weights.push_back(std::move(weight));
    m_ids.emplace(found->second, id);
    return id;
}

Result<graph::TensorId> TensorTable::takeOptional(const std::string& name, const Shape& shape) {
    if (!has(name)) return graph::kNone;
    return take(name, shape);
}

std::vector<std::string> TensorTable::untaken() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < m_tensors.size(); ++i) {
        if (!m_taken[i]) names.emplace_back(m_tensors[i].name);
    }
    return names;
}

}  // namespace loader::arch
