// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the tests of workers share: a tiny model in a folder, options for real workers, and the text that an
// undisturbed run gives.
#pragma once

#include <QTemporaryDir>
#include <QTest>
#include <csignal>
#include <optional>
#include <string>

#include "core/app/backend_manager/model_host.h"
#include "tests/support/tiny_model.h"

namespace loader::test {

struct HostFixture {
    QTemporaryDir folder;
    std::string model;
    /// Tokens of the answer that is asked for.
    std::uint64_t tokens = 60;
    app::HostOptions options;
    protocol::LoadRequest request;
    std::vector<TokenId> prompt{1, 40, 41, 42, 43, 44, 45, 46};

    HostFixture() {
        TinyModelOptions tiny;
        tiny.layers = 4;
        tiny.context = 512;
        model = (folder.path() + "/tiny.gguf").toStdString();
        auto made = TinyModel::make(tiny);
        if (!made.ok() || !made->write(model).ok()) model.clear();
        options.worker.program = LOADER_WORKER;
        options.worker.pluginFolder = LOADER_PLUGINS;
        options.worker.limits.start = std::chrono::milliseconds(4000);
        options.worker.limits.silence = std::chrono::milliseconds(3000);
        options.worker.limits.step = std::chrono::milliseconds(3000);
        request.path = model;
        request.backend = "cpu";
        request.threads = 1;
        request.contextTokens = 512;
    }

    protocol::AnswerOptions answerOptions() const {
        protocol::AnswerOptions answer;
        answer.sampling.temperature = 1.0F;
        answer.sampling.seed = 7;
        answer.maxTokens = tokens;
        answer.ignoreEnd = true;
        return answer;
    }

    Result<std::unique_ptr<app::ModelHost>> load() const {
        return app::ModelHost::load(request, options, {}, {});
    }

    /// What nothing disturbed.
    protocol::Answer undisturbed() const {
        auto host = app::ModelHost::load(request, options, {}, {});
        if (!host.ok()) return {};
        auto answer = (*host)->generate(prompt, answerOptions(), {}, {});
        return answer.ok() ? *answer : protocol::Answer{};
    }
};

}  // namespace loader::test
