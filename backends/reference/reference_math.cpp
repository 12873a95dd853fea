// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/reference/reference_math.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace loader::backend::reference {

double dot(std::span<const double> a, std::span<const double> b) {
    // Eight partial sums: independent, so that the loop is not one long chain of additions.
    double parts[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= a.size(); i += 8) {
        for (std::size_t k = 0; k < 8; ++k)
            parts[k] += a[i + k] * b[i + k];
    }
    double sum = 0.0;
    for (double part : parts)
        sum += part;
    for (; i < a.size(); ++i)
        sum += a[i] * b[i];
    return sum;
}

void norm(graph::NormKind kind, std::span<const double> in, std::span<const double> weight,
          std::span<const double> bias, double epsilon, std::span<double> out) {
    const auto width = static_cast<double>(in.size());
    double mean = 0.0;
    if (kind == graph::NormKind::Layer) {
        for (double x : in)
            mean += x;
        mean /= width;
    }
    double squares = 0.0;
    for (double x : in)
        squares += (x - mean) * (x - mean);
    const double scale = 1.0 / std::sqrt(squares / width + epsilon);
    for (std::size_t i = 0; i < in.size(); ++i) {
        out[i] = (in[i] - mean) * scale * weight[i] + (bias.empty() ? 0.0 : bias[i]);
    }
}

double activate(graph::Activation activation, double x) {
    switch (activation) {
        case graph::Activation::Silu: return x / (1.0 + std::exp(-x));
        case graph::Activation::Relu: return std::max(x, 0.0);
        case graph::Activation::GeluTanh: {
            const double inner = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
            return 0.5 * x * (1.0 + std::tanh(inner));
        }
    }
    return x;
}

void rotate(const graph::Rope& rope, std::span<const double> factors, std::uint32_t position,
            std::span<double> head) {
    const std::size_t pairs = rope.frequencies.size();
    for (std::size_t i = 0; i < pairs; ++i) {
        const double factor = factors.empty() ? 1.0 : factors[i];
        const double angle = position * rope.frequencies[i] / factor;
        const double cosine = std::cos(angle) * rope.magnitude;
        const double sine = std::sin(angle) * rope.magnitude;
        const bool adjacent = rope.pairs == graph::RopePairs::Adjacent;
        double& x = head[adjacent ? 2 * i : i];
        double& y = head[adjacent ? 2 * i + 1 : i + pairs];
        const double turnedX = x * cosine - y * sine;
        y = x * sine + y * cosine;
        x = turnedX;
    }
}

void softmax(std::span<double> row) {
    if (row.empty()) return;
    const double greatest = *std::max_element(row.begin(), row.end());
    double sum = 0.0;
    for (double& x : row)
        sum += x = std::exp(x - greatest);
    for (double& x : row)
        x /= sum;
}

double softcap(double x, double cap) {
    return cap == 0.0 ? x : cap * std::tanh(x / cap);
}

}  // namespace loader::backend::reference
