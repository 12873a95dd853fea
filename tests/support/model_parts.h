// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A tiny model taken apart, so that a test can change one key or tensor of it, and the list of variants that
// covers every family and every option of it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/api/backend.h"
#include "core/engine/arch/lower.h"
#include "tests/support/tiny_model.h"

namespace loader::test {

struct PartTensor {
    std::string name;
    quant::TensorType type = quant::TensorType::F32;
    /// Row length first.
    std::vector<std::uint64_t> dims;
    std::vector<std::byte> data;
};

/// @thread confined
class ModelParts {
public:
    static Result<ModelParts> make(const TinyModelOptions& options);
    ModelParts clone() const;

    gguf::Metadata metadata;
    std::vector<PartTensor> tensors;

    PartTensor* find(std::string_view name);
    void remove(std::string_view name);
    /// Adds a tensor of random numbers, or gives the tensor of that name a new shape and new numbers.
    Status put(const std::string& name, quant::TensorType type, std::vector<std::uint64_t> dims, float size);
    /// The same with given numbers.
    void putFloats(const std::string& name, std::span<const float> values);
    /// Every tensor of joined experts becomes one tensor for each, as files of early 2024 have them.
    void splitExperts();

    /// Views into this object.
    std::vector<gguf::TensorInfo> table() const;
    Result<arch::Lowered> lower(const std::string& architecture = {}) const;
    /// Parallel to the weights of a program that lower() made. Views into this object.
    std::vector<backend::Weight> weights(const graph::Program& program) const;
};

/// Names of all variants: "llama", "llama-biases" …
std::span<const std::string_view> modelVariants();
/// Whether the matrices of a variant may have any type; otherwise some rows are no whole blocks of 256.
bool takesAnyType(std::string_view variant);
/// @errors X001 for a name that is not in the list
Result<ModelParts> makeVariant(std::string_view variant, quant::TensorType type = quant::TensorType::F32,
                               std::uint64_t seed = 1);

}  // namespace loader::test
