// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The best tokens and the log-sum-exp of a row of logits, gathered while its parts are computed, so that
// nobody has to look through the vocabulary afterwards.
#pragma once

#include <span>

#include "backends/api/top_tokens.h"
#include "backends/cpu/kernels/kernel_table.h"

namespace loader::cpu {

/// @thread one object per member and row; merge() after a barrier
class HeadCandidates {
public:
    void start(std::size_t top);
    /// Logits of tokens [firstToken, firstToken + logits.size()). NaN counts as -infinity, in place.
    void add(const VectorKernels& vectors, std::size_t firstToken, std::span<float> logits);
    void merge(const HeadCandidates& other);
    /// Appends `top` tokens, best first, and the log-sum-exp.
    void append(backend::ForwardOutput& out);

private:
    /// Brings the sum to a greater maximum.
    void raise(float greatest);

    backend::TokenHeap m_heap;
    float m_greatest = 0.0f;
    /// Of exp(logit - m_greatest).
    double m_sum = 0.0;
};

}  // namespace loader::cpu
