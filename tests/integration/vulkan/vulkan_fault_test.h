// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the tests of Vulkan's faults share: a tiny model on the misbehaving library, in this process.
#pragma once

#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "backends/vulkan/vulkan_backend.h"
#include "tests/support/model_harness.h"
#include "tests/support/tiny_model.h"
#include "tests/support/vulkan_faults/vulkan_faults.h"

namespace loader::test {

inline bool runsLong() {
    return std::getenv("LOADER_TEST_LONG") != nullptr;
}

inline QByteArray told(const Error& error) {
    return QByteArray::fromStdString(error.toString());
}

/// A device that hangs is given up after this long: a device in software also compiles in that time.
/// @unit milliseconds
inline constexpr std::uint64_t kAnswerMs = 3000;

struct FaultyModel {
    QTemporaryDir folder;
    std::string path;
    backend::LoadOptions options;
    std::vector<TokenId> prompt{1, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49};

    explicit FaultyModel(const TinyModelOptions& tiny = small())
        : path((folder.path() + "/tiny.gguf").toStdString()) {
        auto made = TinyModel::make(tiny);
        if (!made.ok() || !made->write(path).ok()) path.clear();
        options.contextTokens = 64;
        options.batchTokens = 16;
        options.threads = 1;
        options.tier = "fp32";
    }

    static TinyModelOptions small() {
        TinyModelOptions tiny;
        tiny.layers = 1;
        tiny.feedForward = 256;
        return tiny;
    }

    static vulkan::VulkanSettings settings() {
        vulkan::VulkanSettings faulty;
        faulty.libraryNames = {VulkanFaults::kLibrary};
        return faulty;
    }

    Result<std::unique_ptr<ModelHarness>> load(backend::Backend& backend) const {
        return ModelHarness::load(path, backend, options);
    }

    /// What the back end says of the model on a device before anything is loaded.
    Result<backend::PlanReport> plan(backend::Backend& backend, const std::string& device) const {
        LOADER_TRY(const auto file, gguf::ModelFile::open(path));
        LOADER_TRY(const arch::Lowered lowered, arch::lower(file->metadata(), file->tensors()));
        std::vector<std::uint32_t> segments(lowered.program.segments.size());
        std::iota(segments.begin(), segments.end(), 0u);
        return backend.plan(lowered.program, segments, device, options);
    }

    /// The logits behind each token of the prompt, and of some more by themselves.
    Result<std::vector<std::vector<float>>> compute(ModelHarness& model) const {
        LOADER_TRY(auto rows, model.logits(prompt));
        for (int i = 0; i < 2; ++i) {
            const TokenId next = 50 + i;
            LOADER_TRY(auto more, model.logits({&next, 1}));
            rows.push_back(std::move(more.front()));
        }
        return rows;
    }

    /// Loads, computes and unloads.
    Result<std::vector<std::vector<float>>> run(const vulkan::VulkanSettings& with = settings()) const {
        vulkan::VulkanBackend backend(with);
        LOADER_TRY(const auto model, load(backend));
        return compute(*model);
    }
};

/// The smallest cosine of two lists of rows; -1 where they have different shapes.
inline double likeness(const std::vector<std::vector<float>>& one,
                       const std::vector<std::vector<float>>& other) {
    double least = one.size() == other.size() && !one.empty() ? 1.0 : -1.0;
    for (std::size_t i = 0; least > -1.0 && i < one.size(); ++i) {
        const double now = one[i].size() == other[i].size() ? cosine(one[i], other[i]) : -1.0;
        // Not std::min: a NaN must not get lost.
        if (!(now >= least)) least = std::isnan(now) ? -1.0 : now;
    }
    return least;
}

/// Skips by name where no Vulkan device is.
#define LOADER_NEED_VULKAN()                                                               \
    do {                                                                                   \
        const auto vulkanDevices = ::loader::vulkan::VulkanBackend().devices();            \
        if (!vulkanDevices.ok())                                                           \
            QSKIP(("no Vulkan device here: " + vulkanDevices.error().toString()).c_str()); \
    } while (false)

}  // namespace loader::test
