// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/configuration.h"

#include <array>

#include "core/app/config/setting_effects.h"

namespace loader::cli {
namespace {

using app::SettingOwner;

struct OptionKey {
    std::string_view option;
    std::string_view key;
    /// What a switch means; empty for an option with a value.
    std::string_view meaning;
};

constexpr std::array kOptionKeys = {
    OptionKey{"context", app::settings::kLoadContext, {}},
    OptionKey{"threads", app::settings::kLoadThreads, {}},
    OptionKey{"batch", app::settings::kLoadBatch, {}},
    OptionKey{"gpu-layers", app::settings::kLoadGpuLayers, {}},
    OptionKey{"backend", app::settings::kLoadBackend, {}},
    OptionKey{"device", app::settings::kLoadDevice, {}},
    OptionKey{"kv", app::settings::kLoadKv, {}},
    OptionKey{"architecture", app::settings::kLoadArchitecture, {}},
    OptionKey{"mlock", app::settings::kLoadMlock, "true"},
    OptionKey{"no-mlock", app::settings::kLoadMlock, "false"},
    OptionKey{"mmap", app::settings::kLoadMmap, "true"},
    OptionKey{"no-mmap", app::settings::kLoadMmap, "false"},
    OptionKey{"temperature", app::settings::kSamplingTemperature, {}},
    OptionKey{"top-k", app::settings::kSamplingTopK, {}},
    OptionKey{"top-p", app::settings::kSamplingTopP, {}},
    OptionKey{"min-p", app::settings::kSamplingMinP, {}},
    OptionKey{"repeat-penalty", app::settings::kSamplingRepeatPenalty, {}},
    OptionKey{"max-tokens", app::settings::kAnswerMaxTokens, {}},
    OptionKey{"system", app::settings::kChatSystemPrompt, {}},
};

/// What the options say. One that is out of range is left to whoever reads the option itself.
app::SettingValues commandLineValues(const Arguments& arguments) {
    app::SettingValues values;
    const auto set = [&values](std::string_view key, const app::Json& value) {
        ignoreErrorBecause("the option itself is checked by its reader", values.set(key, value));
    };
    for (const OptionKey& one : kOptionKeys) {
        if (!arguments.has(one.option)) continue;
        const std::string text(one.meaning.empty() ? arguments.text(one.option).value_or("") : one.meaning);
        const auto value = app::parsedSetting(*app::findSetting(one.key), text);
        if (value.ok()) set(one.key, *value);
    }
    if (arguments.has("stop")) set(app::settings::kAnswerStop, arguments.texts("stop"));
    return values;
}

Result<app::SettingLayers> layersOf(const Context& context, const std::string& modelPath) {
    app::SettingLayers layers;
    layers.commandLine = commandLineValues(context.arguments);
    layers.backendVariable = environment("GGUF_BACKEND");
    layers.gpuVariable = environment("GGUF_GPU_ENABLED");
    const auto preset = context.arguments.text("preset");
    if (context.arguments.has("no-config")) {
        if (preset)
            return Error(Errc::X001, {"--preset is part of the configuration that --no-config leaves out."});
        return layers;
    }
    const app::ConfigStore& store = configuration(context).store();
    layers.global = store.values();
    if (preset) {
        if (!store.has(SettingOwner::preset(*preset))) return Error(Errc::C517, {*preset});
        layers.preset = store.values(SettingOwner::preset(*preset));
    }
    if (!modelPath.empty()) layers.model = store.values(SettingOwner::model(modelPath));
    return layers;
}

}  // namespace

Configuration::Configuration()
    : m_files(app::systemFiles()), m_store(*m_files, app::ConfigStore::defaultFolder()) {}

Configuration& configuration(const Context& context) {
    if (!context.configuration) context.configuration = std::make_shared<Configuration>();
    return *context.configuration;
}

Result<app::EffectiveSettings> effectiveSettings(const Context& context, const std::string& modelPath) {
    LOADER_TRY(const app::SettingLayers layers, layersOf(context, modelPath));
    return app::EffectiveSettings(layers);
}

Result<app::EffectiveSettings> effectiveSettings(const Context& context) {
    if (context.arguments.operands().empty()) return effectiveSettings(context, std::string());
    const auto path = modelPath(context);
    return effectiveSettings(context, path.ok() ? *path : std::string());
}

void noteConfiguration(const Context& context, const std::string& modelPath) {
    if (context.arguments.has("no-config")) return;
    const app::ConfigStore& store = configuration(context).store();
    if (store.get<app::settings::LogLevel>() == "error") return;
    for (const Error& notice : store.notices()) {
        context.output.note("Warning: " + notice.message() + " " + notice.action() + " (" + notice.place() +
                            ", " + std::string(notice.name()) + ")");
    }
    std::vector<app::ConfigFinding> findings = store.values().findings();
    for (const auto& owner : {SettingOwner::preset(context.arguments.text("preset").value_or("")),
                              SettingOwner::model(modelPath)}) {
        const auto more = store.values(owner).findings();
        findings.insert(findings.end(), more.begin(), more.end());
    }
    for (const app::ConfigFinding& finding : findings)
        context.output.note("Warning: " + finding.sentence + " It is ignored. (" + finding.place + ")");
    if (store.isLegacy()) {
        context.output.note(
            "Note: the settings of an older version are not used yet; take them over with: gguf "
            "migrate (" +
            store.config().path() + ")");
    }
}

Result<std::string> systemPrompt(const Context& context) {
    if (const auto given = context.arguments.text("system")) return *given;
    LOADER_TRY(const app::EffectiveSettings settings, effectiveSettings(context));
    return settings.get<app::settings::ChatSystemPrompt>();
}

}  // namespace loader::cli
