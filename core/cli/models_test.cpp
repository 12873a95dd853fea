// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf models test and verify: whether models really run here, and whether their files are what they should
// be.

#include <cstdio>

#include "core/app/config/setting_effects.h"
#include "core/app/library/hash_check.h"
#include "core/app/library/model_test.h"
#include "core/cli/configuration.h"
#include "core/cli/library_access.h"
#include "core/engine/base/memory_facts.h"

namespace loader::cli {
namespace {

constexpr std::uint64_t kTokens = 16;
constexpr std::uint64_t kMostTokens = 4096;

struct Tested {
    std::string name;
    std::string path;
    app::ModelTestResult result;
};

Json testJson(const Tested& tested) {
    const app::ModelTestResult& result = tested.result;
    Json json = {{"name", tested.name}, {"path", tested.path}, {"status", result.works ? "works" : "failed"}};
    if (result.report) {
        json["backend"] = result.backend;
        json["device"] = result.device;
        json["gpu_layers"] = result.gpuLayers;
        json["load_ms"] = result.loadMilliseconds;
        json["memory_bytes"] = result.memoryBytes;
    }
    if (result.works) {
        json["tokens"] = result.tokens;
        json["tokens_per_second"] = result.tokensPerSecond;
        json["text"] = result.text;
    }
    if (result.error) {
        json["error"] = errorJson(*result.error);
        json["suggested_fix"] = result.error->action();
    }
    if (result.report) json["load_report"] = result.report->toJson();
    return json;
}

std::string lineOf(const Tested& tested) {
    const app::ModelTestResult& result = tested.result;
    std::string line = column(tested.name, 40) + " " + column(result.works ? "works" : "failed", 7) + " ";
    if (!result.works)
        return line + (result.error ? std::string(result.error->name()) + " " + result.error->message() +
                                          " " + result.error->action()
                                    : "It wrote nothing.");
    char text[96];
    std::snprintf(text, sizeof text, "%.1f tokens/s, loaded in %.0f ms", result.tokensPerSecond,
                  result.loadMilliseconds);
    line += column(result.backend, 8) + " " + text;
    if (result.memoryBytes != 0) line += ", " + sizeText(result.memoryBytes);
    return line;
}

/// A file with a fault needs no worker to fail.
Result<Tested> testOne(Context& context, const std::string& name, const std::string& path,
                       const std::optional<Error>& fault) {
    Tested tested{name, path, {}};
    if (fault) {
        tested.result.error = fault;
        return tested;
    }
    LOADER_TRY(host::LoadRequest request, loadRequestFor(context, path));
    LOADER_TRY(const app::EffectiveSettings settings, effectiveSettings(context, path));
    LOADER_TRY(const auto tokens, context.arguments.number("max-tokens", 1, kMostTokens));
    app::ModelTestOptions options;
    options.tokens = tokens.value_or(kTokens);
    // The same chain as in `run`.
    app::HostOptions host{workerOptions(), std::nullopt, probeMemory(false), {}, {}};
    host.policy = app::chainPolicyOf(settings, request);
    ProgressLine progress("Testing " + name);
    const auto show = [&progress](std::uint64_t done, std::uint64_t total) { progress.report(done, total); };
    tested.result = app::testModel(request, host, options, show, context.cancel);
    LOADER_CHECK(context.cancel.check());
    return tested;
}

Result<std::vector<Tested>> testAll(Context& context) {
    app::ModelLibrary library(libraryOptions(context));
    LOADER_TRY(const app::LibrarySnapshot* found, library.refresh({}, context.cancel));
    std::vector<Tested> all;
    for (const app::LibraryEntry& entry : found->entries) {
        if (entry.kind != app::LibraryKind::Model) continue;
        LOADER_TRY(Tested tested, testOne(context, entry.name, entry.path, entry.fault));
        // One after the other, and each is told at once: a library may take hours.
        if (context.output.json())
            context.output.writeJson(testJson(tested));
        else
            context.output.write(lineOf(tested) + "\n");
        all.push_back(std::move(tested));
    }
    return all;
}

Json outcomeJson(const app::HashOutcome& outcome) {
    const char* verdict = "unknown";
    if (!outcome.expected.empty()) verdict = "matches";
    if (outcome.fault) verdict = outcome.actual.empty() ? "unreadable" : "differs";
    Json json = {{"path", outcome.path}, {"verdict", verdict}, {"sha256", outcome.actual}};
    json["expected"] = outcome.expected.empty() ? Json(nullptr) : Json(outcome.expected);
    if (outcome.fault) json["error"] = errorJson(*outcome.fault);
    return json;
}

/// Those that somebody promised something about, or the one that is named.
Result<std::vector<app::LibraryEntry>> entriesToVerify(Context& context) {
    app::ModelLibrary library(libraryOptions(context));
    LOADER_TRY(const app::LibrarySnapshot* found, library.refresh({}, context.cancel));
    const auto operands = context.arguments.operands();
    std::vector<app::LibraryEntry> entries;
    if (operands.size() == 2) {
        auto entry = library.find(operands[1], context.cancel);
        if (!entry.ok()) {
            // A file outside the library.
            LOADER_TRY(const app::FileIdentity identity, app::identify(operands[1]));
            app::LibraryEntry single;
            single.path = operands[1];
            single.bytes = identity.bytes;
            single.parts = {{single.path, identity.bytes, app::FileState::Present}};
            entry = single;
        }
        entries.push_back(std::move(entry).value());
        return entries;
    }
    for (const app::LibraryEntry& entry : found->entries) {
        if (!entry.sha256.empty() && entry.state == app::FileState::Present) entries.push_back(entry);
    }
    return entries;
}

}  // namespace

Result<int> testModels(Context& context) {
    const auto operands = context.arguments.operands();
    const bool all = context.arguments.has("all");
    if (all != (operands.size() == 1))
        return Error(Errc::X001, {"gguf models test takes a model, or --all and none."});
    if (all) {
        LOADER_TRY(const auto tested, testAll(context));
        for (const Tested& one : tested) {
            if (!one.result.works) return 5;
        }
        return 0;
    }
    LOADER_TRY(const std::string path, resolveModel(context, operands[1]));
    LOADER_TRY(const Tested tested, testOne(context, operands[1], path, std::nullopt));
    if (context.output.json())
        context.output.writeJson(testJson(tested));
    else
        context.output.write(lineOf(tested) + "\n");
    if (tested.result.works) return 0;
    return tested.result.error ? exitStatusOf(*tested.result.error) : 5;
}

Result<int> verifyModels(Context& context) {
    const std::string expected = context.arguments.text("sha256").value_or("");
    if (context.arguments.operands().size() > 2)
        return Error(Errc::X001, {"gguf models verify takes one model, or none for all with a promise."});
    LOADER_TRY(const auto entries, entriesToVerify(context));
    int status = 0;
    Json document = {{"files", Json::array()}};
    for (const app::LibraryEntry& entry : entries) {
        ProgressLine progress("Reading " + entry.name);
        LOADER_TRY(const auto outcomes,
                   app::verifyEntry(
                       entry, expected,
                       [&progress](std::uint64_t done, std::uint64_t total) { progress.report(done, total); },
                       context.cancel));
        progress.clear();
        for (const app::HashOutcome& outcome : outcomes) {
            if (outcome.fault) status = exitStatusOf(*outcome.fault);
            Json json = outcomeJson(outcome);
            if (!context.output.json())
                context.output.write(column(json["verdict"].get<std::string>(), 11) + outcome.actual + "  " +
                                     outcome.path + "\n");
            document["files"].push_back(std::move(json));
        }
    }
    if (context.output.json()) context.output.writeJson(document);
    if (entries.empty())
        context.output.note(
            "No file of the library comes with a promised SHA-256. Name a model to have it computed.");
    return status;
}

}  // namespace loader::cli
