// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/self_test.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "core/host/self_test_model.h"

namespace loader::host {
namespace {

using backend::OutputKind;

/// A full tile of matrix kernels and one item more.
constexpr std::uint32_t kPromptTokens = 33;

struct Rows {
    std::vector<float> values;
    std::size_t width = 0;
};

/// One evaluation of `count` tokens from `position` on.
struct Step {
    std::uint32_t position;
    std::uint32_t count;
    OutputKind kind;
};

/// A prompt, one token that looks back on it, one token alone, and a prompt with all its logits.
constexpr Step kSteps[] = {{0, kPromptTokens, OutputKind::Hidden},
                           {kPromptTokens, 1, OutputKind::Logits},
                           {0, 1, OutputKind::Hidden},
                           {1, kPromptTokens, OutputKind::Logits}};

Error wrongResults(const std::string& device) {
    return Error(Errc::B705, {device});
}

/// How far a row is from the expected one, both in units of the expected row's deviation: all its numbers
/// together, and the worst of them. Infinite where something is missing or not a number.
struct Distance {
    double row = 0.0;
    double number = 0.0;
};

Distance distanceOf(std::span<const float> measured, std::span<const float> expected) {
    const auto count = static_cast<double>(expected.size());
    const double mean = std::accumulate(expected.begin(), expected.end(), 0.0) / count;
    double spread = 0.0;
    double squares = 0.0;
    double worst = 0.0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double error = double{measured[i]} - expected[i];
        spread += (expected[i] - mean) * (expected[i] - mean);
        squares += error * error;
        worst = std::max(worst, std::abs(error));
    }
    // A NaN in the row is in the sum of squares; the maximum may have lost it.
    if (!std::isfinite(squares)) return {squares, squares};
    return {std::sqrt(squares / spread), worst / std::sqrt(spread / count)};
}

/// The greatest distances of all rows.
Distance distanceOf(const Rows& measured, const Rows& expected) {
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    const bool sameShape =
        measured.width == expected.width && measured.values.size() == expected.values.size();
    if (!sameShape) return {kInfinite, kInfinite};
    Distance largest;
    for (std::size_t begin = 0; begin < expected.values.size(); begin += expected.width) {
        const Distance row = distanceOf(std::span(measured.values).subspan(begin, expected.width),
                                        std::span(expected.values).subspan(begin, expected.width));
        if (!std::isfinite(row.row)) return {kInfinite, kInfinite};
        largest.row = std::max(largest.row, row.row);
        largest.number = std::max(largest.number, row.number);
    }
    return largest;
}

Result<Rows> evaluate(backend::Session& session, const Step& step, CancelToken cancel) {
    std::vector<backend::BatchItem> batch(step.count);
    for (std::uint32_t i = 0; i < step.count; ++i) {
        const std::uint32_t position = step.position + i;
        batch[i].token = static_cast<TokenId>((position * 37 + 11) % SelfTestModel::kVocabulary);
        batch[i].position[0] = position;
        batch[i].wantsOutput = true;
    }
    backend::OutputRequest request;
    request.kind = step.kind;
    backend::ForwardOutput out;
    LOADER_CHECK(session.forward(batch, request, out, cancel));
    return Rows{std::move(out.values), out.rowWidth};
}

/// What a device computes in every step.
Result<std::vector<Rows>> run(backend::Backend& backend, const std::string& device,
                              const SelfTestModel& model, const SelfTestOptions& options,
                              CancelToken cancel) {
    backend::LoadOptions load;
    load.threads = options.threads;
    load.tier = options.tier;
    load.kv = options.kv;
    load.batchTokens = kPromptTokens;
    load.contextTokens = 2 * kPromptTokens;
    std::vector<std::uint32_t> segments(model.program().segments.size());
    std::iota(segments.begin(), segments.end(), 0u);
    LOADER_TRY(const auto plan, backend.plan(model.program(), segments, device, load));
    if (!plan.unsupported.empty()) return Error(Errc::B702, {backend.id(), plan.unsupported.front()});
    LOADER_TRY(const auto loaded,
               backend.load(model.program(), model.weights(), segments, device, load, nullptr, cancel));
    backend::SessionOptions sessionOptions;
    sessionOptions.contextTokens = load.contextTokens;
    sessionOptions.kv = load.kv;
    LOADER_TRY(const auto session, loaded->openSession(sessionOptions));
    std::vector<Rows> results;
    for (const Step& step : kSteps) {
        LOADER_CHECK(cancel.check());
        LOADER_TRY(const std::uint32_t reached, session->truncate(0, step.position));
        if (reached != step.position) return wrongResults(device);
        LOADER_TRY(Rows rows, evaluate(*session, step, cancel));
        results.push_back(std::move(rows));
    }
    return results;
}

}  // namespace

std::vector<quant::TensorType> matrixTypes(const graph::Program& program) {
    std::vector<quant::TensorType> types;
    for (const graph::WeightRef& weight : program.weights) {
        if (weight.rows > 1 && std::find(types.begin(), types.end(), weight.type) == types.end())
            types.push_back(weight.type);
    }
    return types;
}

Result<SelfTestReport> selfTest(backend::Backend& backend, const std::string& device,
                                backend::Backend& trusted, const SelfTestOptions& options,
                                CancelToken cancel) {
    const auto start = std::chrono::steady_clock::now();
    LOADER_TRY(const auto model, SelfTestModel::make(options.types));
    LOADER_TRY(const std::vector<Rows> measured, run(backend, device, *model, options, cancel));
    SelfTestOptions trustedOptions = options;
    trustedOptions.tier.clear();
    LOADER_TRY(const std::vector<Rows> expected, run(trusted, "", *model, trustedOptions, cancel));
    SelfTestReport report;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const Distance distance = distanceOf(measured[i], expected[i]);
        report.largestError = std::max(report.largestError, distance.row);
        report.worstNumber = std::max(report.worstNumber, distance.number);
    }
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    report.milliseconds = elapsed.count();
    if (report.largestError > kSelfTestError || report.worstNumber > kSelfTestNumber)
        return wrongResults(device);
    return report;
}

Status selfTestAll(backend::Backend& backend, const std::string& device, backend::Backend& trusted,
                   CancelToken cancel) {
    std::vector<quant::TensorType> all;
    for (const quant::TypeInfo& info : quant::allTypes()) {
        if (info.role == quant::TypeRole::Weight) all.push_back(info.type);
    }
    std::optional<Error> unsupported;
    bool tested = false;
    /// False where the device does not take these.
    const auto passes = [&](const SelfTestOptions& options) -> Result<bool> {
        const auto report = selfTest(backend, device, trusted, options, cancel);
        if (report.ok()) return tested = true;
        if (report.error().code() != Errc::B702) return report.error();
        unsupported = report.error();
        return false;
    };
    for (const backend::KvType kv : {backend::KvType::F16, backend::KvType::Q8_0}) {
        SelfTestOptions options;
        options.kv = kv;
        // The model is tiny: more threads would only wait for one another.
        options.threads = 1;
        options.types = all;
        LOADER_TRY(const bool together, passes(options));
        if (together) continue;
        for (const quant::TensorType type : all) {
            options.types = {type};
            LOADER_TRY(const bool alone, passes(options));
            static_cast<void>(alone);
        }
    }
    return tested || !unsupported ? Status() : Status(*unsupported);
}

}  // namespace loader::host
