// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/kernels/kernel_problem.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

#include "core/engine/quant/dequantize.h"

namespace loader::test {
namespace {

using namespace loader::cpu;
using quant::TensorType;

constexpr float kCanary = -123456.75f;

std::string placeOf(std::size_t token, std::size_t row) {
    return "token " + std::to_string(token) + " row " + std::to_string(row);
}

}  // namespace

void readRecord(const Problem& p, std::size_t token, std::vector<double>& values,
                std::vector<double>& steps) {
    values.assign(p.columns, 0);
    steps.assign(p.columns, 0);
    const ActivationView& a = p.activation;
    const std::size_t block = activationBlock(a.kind);
    for (std::size_t k = 0; k < p.columns; ++k) {
        if (a.kind == ActivationKind::F32) {
            values[k] = static_cast<double>(p.inputs[token * p.columns + k]);
            continue;
        }
        if (a.kind == ActivationKind::Int16Block32) {
            const auto* wide = reinterpret_cast<const std::int16_t*>(a.token(token));
            steps[k] = static_cast<double>(
                reinterpret_cast<const float*>(a.token(token) + a.layout.scales)[k / block]);
            values[k] = steps[k] * wide[k];
            continue;
        }
        const auto* q = reinterpret_cast<const std::int8_t*>(a.token(token));
        const auto* scales = reinterpret_cast<const float*>(a.token(token) + a.layout.scales);
        const auto step = static_cast<double>(scales[k / block]);
        if (a.kind == ActivationKind::Q8Pair32) {
            const std::int8_t* terms = q + k / 32 * 64 + k % 32;
            values[k] = step * (256 * terms[0] + terms[32]);
            steps[k] = 2 * step;  // a low term of 128 is stored as 127
            continue;
        }
        steps[k] = step;
        values[k] = step * q[k];
    }
}

void addProducts(Problem& p) {
    const std::size_t results = p.tokens * p.rows;
    p.exact.assign(results, 0);
    p.given.assign(results, 0);
    p.slack.assign(results, 0);
    p.size.assign(results, 0);
    std::vector<double> values, steps;
    for (std::size_t t = 0; t < p.tokens; ++t) {
        readRecord(p, t, values, steps);
        double inputs = 0;
        for (const double value : values)
            inputs += std::abs(value);
        for (std::size_t r = 0; r < p.rows; ++r) {
            const float* w = p.decoded.data() + r * p.columns;
            const std::size_t at = t * p.rows + r;
            double exact = 0, given = 0, slack = 0, size = 0, largest = 0;
            for (std::size_t k = 0; k < p.columns; ++k) {
                const auto weight = static_cast<double>(w[k]);
                exact += weight * static_cast<double>(p.inputs[t * p.columns + k]);
                given += weight * values[k];
                slack += std::abs(weight) * steps[k] * 0.5;
                size += std::abs(weight * values[k]);
                largest = std::max(largest, std::abs(weight));
            }
            p.exact[at] = exact;
            p.given[at] = given;
            p.slack[at] = slack;
            // Types with a minimum take off a part that can be larger than what is left.
            p.size[at] = size + largest * inputs;
        }
    }
}

std::unique_ptr<Problem> makeProblem(const KernelTable& kernels, TensorType type, std::size_t rows,
                                     std::size_t columns, std::size_t tokens, Scales scales) {
    std::mt19937 random(static_cast<unsigned>(columns * 31 + rows));
    auto p = std::make_unique<Problem>();
    p->type = type;
    p->rows = rows;
    p->columns = columns;
    p->tokens = tokens;
    p->rowBytes = static_cast<std::size_t>(*quant::rowBytes(type, columns));
    const std::vector<std::byte> bytes = randomWeights(type, rows * columns, scales, random);
    if (!p->weights.fill(bytes)) return nullptr;
    p->decoded.resize(rows * columns);
    quant::dequantizeRow(type, bytes.data(), p->decoded.data(), rows * columns);
    p->inputs = randomFloats(tokens * columns, random);
    const ActivationKind kind = kernels.activationKind(type);
    const ActivationLayout layout = activationLayout(kind, columns);
    p->records.resize(layout.stride * tokens + 64);
    const auto address = reinterpret_cast<std::uintptr_t>(p->records.data());
    std::byte* records = p->records.data() + (roundUp(address, 64) - address);
    for (std::size_t t = 0; t < tokens; ++t) {
        quantizeActivation(kernels, kind, p->inputs.data() + t * columns, columns,
                           records + t * layout.stride);
    }
    p->activation = quantizedActivations(kind, records, columns);
    addProducts(*p);
    return p;
}

std::string faultOf(const KernelTable& kernels, const Problem& p, std::size_t rowBegin, std::size_t rowEnd,
                    std::size_t tokens, OutputMode mode) {
    const std::size_t stride = p.rows + 3;
    std::vector<float> out(stride * (tokens + 1), kCanary);
    for (std::size_t t = 0; mode == OutputMode::Add && t < tokens; ++t) {
        for (std::size_t r = rowBegin; r < rowEnd; ++r)
            out[t * stride + r] = 2.0f;
    }
    const double start = mode == OutputMode::Add ? 2.0 : 0.0;
    const Result<ScratchBuffer> scratch = ScratchBuffer::create(scratchBytes(p.columns));
    if (!scratch.ok()) return "no scratch";
    multiplyRows(kernels, p.view(), rowBegin, rowEnd, p.activation, tokens, out.data(), stride,
                 scratch->view(), mode);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t t = i / stride, r = i % stride;
        const bool inside = t < tokens && r >= rowBegin && r < rowEnd;
        if (!inside && out[i] != kCanary) return "wrote outside at " + placeOf(t, r);
        if (!inside) continue;
        const std::size_t at = t * p.rows + r;
        const double rounding = 1e-5 * p.size[at] * 0.5 + 1e-6 * start + 1e-30;
        const double value = static_cast<double>(out[i]) - start;
        if (!(std::abs(value - p.given[at]) <= rounding)) {
            return placeOf(t, r) + ": " + std::to_string(value) + " instead of " +
                   std::to_string(p.given[at]) + " (quantised input)";
        }
        if (!(std::abs(value - p.exact[at]) <= p.slack[at] * 1.0001 + rounding)) {
            return placeOf(t, r) + ": " + std::to_string(value) + " too far from " +
                   std::to_string(p.exact[at]);
        }
    }
    return {};
}

std::vector<std::size_t> columnsFor(TensorType type) {
    const std::size_t block = quant::typeInfo(type).blockValues;
    if (block == 1) return {1, 5, 172, 288};
    return {block, 3 * block, block < 256 ? 9 * block : 5 * block};
}

}  // namespace loader::test
