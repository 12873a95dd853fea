// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One weight matrix and one batch with all products in double precision: of what the kernel is given (tight),
// and of what it stands for (the rounding of the activations). Without Qt, so that it also runs where only
// the kernels do.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/kernels/matmul.h"
#include "tests/contract/kernels/guarded_memory.h"
#include "tests/contract/kernels/random_weights.h"

namespace loader::test {

struct Problem {
    quant::TensorType type = quant::TensorType::F32;
    std::size_t rows = 0, columns = 0, tokens = 0;
    GuardedMemory weights;  ///< end where an unreadable page begins
    std::size_t rowBytes = 0;
    std::vector<float> inputs;
    std::vector<std::byte> records;
    cpu::ActivationView activation;
    std::vector<float> decoded;  ///< weights, [rows, columns]
    std::vector<double> exact;   ///< with the inputs, [tokens, rows]
    std::vector<double> given;   ///< with the quantised inputs
    std::vector<double> slack;   ///< bound of |given - exact|: half a step of every activation
    std::vector<double> size;    ///< sum of |weight × activation|, what float rounding is relative to

    cpu::WeightView view() const { return {type, weights.data(), rows, columns, rowBytes}; }
};

/// Null where the system offers no guarded memory.
std::unique_ptr<Problem> makeProblem(const cpu::KernelTable& kernels, quant::TensorType type,
                                     std::size_t rows, std::size_t columns, std::size_t tokens,
                                     Scales scales);

/// What the record of a token stands for, value by value, and the step of its rounding.
void readRecord(const Problem& problem, std::size_t token, std::vector<double>& values,
                std::vector<double>& steps);

/// Fills the products again after the inputs or the weights were changed.
void addProducts(Problem& problem);

/// Multiplies the rows [rowBegin, rowEnd) and returns what is wrong, or nothing.
std::string faultOf(const cpu::KernelTable& kernels, const Problem& problem, std::size_t rowBegin,
                    std::size_t rowEnd, std::size_t tokens, cpu::OutputMode mode);

/// One block, and several.
std::vector<std::size_t> columnsFor(quant::TensorType type);

}  // namespace loader::test
