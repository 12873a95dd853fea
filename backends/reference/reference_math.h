// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The arithmetic of the oracle: one obvious double-precision function for each formula.
#pragma once

#include <cstdint>
#include <span>

#include "core/engine/graph/ops.h"
#include "core/engine/graph/program.h"

namespace loader::backend::reference {

double dot(std::span<const double> a, std::span<const double> b);

/// out = normalised in × weight + bias. @shape in, out, weight [width]; bias [width] or empty
/// @unit epsilon: added to the mean square (Rms) or variance (Layer)
void norm(graph::NormKind kind, std::span<const double> in, std::span<const double> weight,
          std::span<const double> bias, double epsilon, std::span<double> out);

double activate(graph::Activation activation, double x);

/// Turns the pairs of one head in place. @shape head [≥ rope.dims()]; factors [dims / 2] or empty
void rotate(const graph::Rope& rope, std::span<const double> factors, std::uint32_t position,
            std::span<double> head);

/// exp(x - max) / sum in place. An empty row stays empty.
void softmax(std::span<double> row);

/// cap × tanh(x / cap), or x where cap is 0.
double softcap(double x, double cap);

}  // namespace loader::backend::reference
