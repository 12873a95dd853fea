// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/context.h"

#include <QCoreApplication>
#include <QDir>
#include <QStandardPaths>
#include <array>
#include <cstdlib>
#include <random>

#include "core/app/config/setting_effects.h"
#include "core/app/diagnostics/load_log.h"
#include "core/app/hardware/probe_cache.h"
#include "core/cli/configuration.h"
#include "core/cli/library_access.h"
#include "core/cli/planning.h"

namespace loader::cli {
namespace {

constexpr std::array kCommon = {
    OptionSpec{"json", 0, {}, "Machine-readable output: one document, or one object per line"},
    OptionSpec{"help", 'h', {}, "This text"},
};

constexpr std::array kLoad = {
    OptionSpec{"context", 'c', "N", "Tokens of context (default: as trained, at most 4096)"},
    OptionSpec{"threads", 't', "N", "Threads (default: physical cores)"},
    OptionSpec{"batch", 'b', "N", "Tokens of a prompt computed at once (default: 512)"},
    OptionSpec{"gpu-layers", 0, "N", "Layers on the GPU: auto, all or a number (default: auto)"},
    OptionSpec{"backend", 0, "ID", "Back end: auto or an id of `gguf backends` (default: auto)"},
    OptionSpec{"device", 0, "ID", "Device of the back end (default: the first that works)"},
    OptionSpec{"split-with", 0, "ID", "Back end of the layers that --gpu-layers leaves over (default: cpu)"},
    OptionSpec{"kv", 0, "TYPE", "Type of the KV cache: f16 or q8_0 (default: f16)"},
    OptionSpec{"mlock", 0, {}, "Keep the weights in memory"},
    OptionSpec{"no-mlock", 0, {}, "Do not, whatever the configuration says"},
    OptionSpec{"mmap", 0, {}, "Map the file, whatever the configuration says"},
    OptionSpec{"no-mmap", 0, {}, "Read the weights into memory instead of mapping the file"},
    OptionSpec{"architecture", 0, "NAME", "Take the model for this architecture"},
    OptionSpec{"in-process", 0, {}, "Run the model in this process instead of a worker"},
    OptionSpec{"tier", 0, "NAME", "Instruction-set tier of the back end (default: the best)"},
};

constexpr std::array kConfiguration = {
    OptionSpec{"preset", 0, "NAME", "Use the settings of this preset"},
    OptionSpec{"no-config", 0, {}, "Use none of the settings of `gguf config`"},
};

constexpr std::array kGeneration = {
    OptionSpec{"max-tokens", 'n', "N", "Tokens of the answer at most (default: what the context holds)"},
    OptionSpec{"temperature", 0, "X", "Randomness; 0 takes the likeliest token (default: 0.8)"},
    OptionSpec{"top-k", 0, "N", "Choose among this many tokens; 0 is off (default: 40)"},
    OptionSpec{"top-p", 0, "X", "Choose within this share of probability (default: 0.95)"},
    OptionSpec{"min-p", 0, "X", "Drop tokens below this share of the best (default: 0.05)"},
    OptionSpec{"repeat-penalty", 0, "X", "Penalty for repeated tokens (default: 1.0, off)"},
    OptionSpec{"seed", 0, "N", "Seed of the random choice (default: another one every time)"},
    OptionSpec{"stop", 0, "TEXT", "End the answer before this text; may be repeated", true},
    OptionSpec{"ignore-eos", 0, {}, "Go on where the model would end"},
    OptionSpec{"system", 0, "TEXT", "System message of a chat"},
};

constexpr std::uint64_t kMostTokens = 1u << 30;

Error usage(const std::string& sentence) {
    return Error(Errc::X001, {sentence});
}

Result<host::GpuLayers> gpuLayers(const std::optional<std::string>& text) {
    if (!text || *text == "auto") return host::GpuLayers{};
    if (*text == "all") return host::GpuLayers{host::GpuLayers::Kind::All, 0};
    const auto number = wholeNumber(*text);
    if (!number || *number > 1'000'000)
        return usage("The option --gpu-layers takes auto, all or a number, not " + *text + ".");
    return host::GpuLayers{host::GpuLayers::Kind::Number, static_cast<std::uint32_t>(*number)};
}

Result<backend::KvType> kvType(const std::optional<std::string>& text) {
    if (!text || *text == "f16") return backend::KvType::F16;
    if (*text == "q8_0") return backend::KvType::Q8_0;
    if (*text == "f32") return backend::KvType::F32;
    return usage("The option --kv takes f16 or q8_0, not " + *text + ".");
}

/// Takes an option into a float setting; its range is checked by validate().
Status takeReal(const Arguments& arguments, std::string_view name, float& setting) {
    LOADER_TRY(const auto value, arguments.real(name));
    if (value) setting = static_cast<float>(*value);
    return {};
}

}  // namespace

const std::span<const OptionSpec> kCommonOptions = kCommon;
const std::span<const OptionSpec> kLoadOptions = kLoad;
const std::span<const OptionSpec> kConfigurationOptions = kConfiguration;
const std::span<const OptionSpec> kGenerationOptions = kGeneration;

Result<std::string> modelPath(const Context& context) {
    std::string model = context.arguments.operands().front();
    if (model == "default") model = configuration(context).store().get<app::settings::ModelsDefault>();
    return resolveModel(context, model);
}

namespace {

/// The load options of the command line, each where it was given.
struct GivenOptions {
    std::optional<std::uint64_t> contextTokens;
    std::optional<std::uint64_t> threads;
    std::optional<std::uint64_t> batch;
    host::GpuLayers gpuLayers;
    backend::KvType kv = backend::KvType::F16;
};

Result<GivenOptions> givenOptions(const Arguments& arguments) {
    GivenOptions given;
    LOADER_TRY(given.contextTokens, arguments.number("context", 1, kMostTokens));
    LOADER_TRY(given.threads, arguments.number("threads", 1, 1024));
    LOADER_TRY(given.batch, arguments.number("batch", 1, 65536));
    LOADER_TRY(given.gpuLayers, gpuLayers(arguments.text("gpu-layers")));
    LOADER_TRY(given.kv, kvType(arguments.text("kv")));
    return given;
}

}  // namespace

Result<host::LoadRequest> loadRequest(const Context& context) {
    // What is wrong with the options is told before folders are looked at.
    LOADER_CHECK(givenOptions(context.arguments));
    LOADER_TRY(const std::string path, modelPath(context));
    return loadRequestFor(context, path);
}

Result<host::LoadRequest> loadRequestFor(const Context& context, const std::string& path) {
    const Arguments& arguments = context.arguments;
    LOADER_TRY(const GivenOptions given, givenOptions(arguments));
    LOADER_TRY(const app::EffectiveSettings settings, effectiveSettings(context, path));
    noteConfiguration(context, path);
    const std::string gpuVariable = environment("GGUF_GPU_ENABLED");
    host::LoadRequest request = app::loadRequestOf(settings, environment("GGUF_BACKEND"), gpuVariable);
    request.path = path;
    if (given.contextTokens) request.contextTokens = static_cast<std::uint32_t>(*given.contextTokens);
    if (given.threads) request.threads = static_cast<unsigned>(*given.threads);
    if (given.batch) request.batchTokens = static_cast<unsigned>(*given.batch);
    // The environment keeps a model off the GPU whatever else is said.
    const bool kept = settings.originOf(app::settings::kLoadGpuLayers) == app::SettingOrigin::Environment;
    if (arguments.has("gpu-layers") && !kept) request.gpuLayers = given.gpuLayers;
    if (arguments.has("kv")) request.kv = given.kv;
    if (arguments.has("device")) request.device = arguments.text("device").value_or("");
    request.splitWith = arguments.text("split-with").value_or("");
    request.tier = arguments.text("tier").value_or("");
    return request;
}

Result<host::AnswerOptions> answerOptions(const Context& context,
                                          const sampling::SamplingParameters& defaults) {
    const Arguments& arguments = context.arguments;
    sampling::SamplingParameters given;
    LOADER_CHECK(takeReal(arguments, "temperature", given.temperature));
    LOADER_CHECK(takeReal(arguments, "top-p", given.topP));
    LOADER_CHECK(takeReal(arguments, "min-p", given.minP));
    LOADER_CHECK(takeReal(arguments, "repeat-penalty", given.repeatPenalty));
    LOADER_TRY(const auto topK, arguments.number("top-k", 0, 0xFFFFFFFFu));
    LOADER_TRY(const auto seed, arguments.number("seed", 0, ~std::uint64_t{0}));
    LOADER_TRY(const auto most, arguments.number("max-tokens", 0, kMostTokens));
    LOADER_CHECK(given.validate());
    LOADER_TRY(const app::EffectiveSettings settings, effectiveSettings(context));
    host::AnswerOptions options;
    options.sampling = defaults;
    std::random_device source;
    options.sampling.seed = std::uint64_t{source()} << 32 | source();
    app::applyAnswerSettings(settings, options);
    // As exactly as they were written; the settings have narrower ranges.
    LOADER_CHECK(takeReal(arguments, "temperature", options.sampling.temperature));
    LOADER_CHECK(takeReal(arguments, "top-p", options.sampling.topP));
    LOADER_CHECK(takeReal(arguments, "min-p", options.sampling.minP));
    LOADER_CHECK(takeReal(arguments, "repeat-penalty", options.sampling.repeatPenalty));
    if (topK) options.sampling.topK = static_cast<std::uint32_t>(*topK);
    if (arguments.has("stop")) options.stops = arguments.texts("stop");
    if (seed) options.sampling.seed = *seed;
    if (most) options.maxTokens = static_cast<std::size_t>(*most);
    options.ignoreEnd = arguments.has("ignore-eos");
    LOADER_CHECK(options.sampling.validate());
    return options;
}

Result<Loaded> loadModel(Context& context, const host::LoadRequest& request) {
    LOADER_CHECK(checkMemoryLimit(context, request));
    Loaded loaded;
    loaded.registry = std::make_unique<host::BackendRegistry>(host::BackendRegistry::defaultFolder());
    ProgressLine progress("Loading");
    LOADER_TRY(loaded.model, host::LoadedModel::load(request, *loaded.registry, &progress, context.cancel));
    progress.clear();
    noteReport(context, loaded.model->report(), request);
    return loaded;
}

app::WorkerOptions workerOptions() {
    app::WorkerOptions options;
    const QDir programs(QCoreApplication::applicationDirPath());
#ifdef Q_OS_WIN
    options.program = programs.filePath(QStringLiteral("gguf-worker.exe")).toStdString();
#else
    options.program = programs.filePath(QStringLiteral("gguf-worker")).toStdString();
#endif
    options.pluginFolder = host::BackendRegistry::defaultFolder();
    options.inheritErrors = debugIsOn();
    const QString caches = QStandardPaths::writableLocation(QStandardPaths::GenericCacheLocation);
    options.cacheFolder = caches.toStdString() + "/gguf-loader/gpu";
    return options;
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::string homeFolder() {
    return QDir::homePath().toStdString();
}

app::ProbeMemory probeMemory(bool again) {
    const auto folderOr = [](const char* variable, const char* usual) {
        const std::string named = environment(variable);
        return named.empty() ? homeFolder() + usual : named;
    };
    app::ProbeMemory memory;
    memory.folder = app::ProbeCache::defaultFolder();
    memory.applicationVersion = LOADER_VERSION;
    memory.again = again;
    memory.drivers.driverFiles = environment("VK_DRIVER_FILES");
    memory.drivers.icdFilenames = environment("VK_ICD_FILENAMES");
    memory.drivers.addDriverFiles = environment("VK_ADD_DRIVER_FILES");
    memory.drivers.configHome = folderOr("XDG_CONFIG_HOME", "/.config");
    memory.drivers.dataHome = folderOr("XDG_DATA_HOME", "/.local/share");
#ifdef _WIN32
    memory.drivers.systemFolder = environment("SystemRoot") + "\\System32";
#endif
    return memory;
}

app::HardwareQuery hardwareQuery(const Context& context, bool measureMemory) {
    app::HardwareQuery query;
    query.session.sessionType = environment("XDG_SESSION_TYPE");
    query.session.waylandDisplay = environment("WAYLAND_DISPLAY");
    query.session.display = environment("DISPLAY");
    query.session.sshConnection = environment("SSH_CONNECTION");
    query.paths = modelFolders(context);
    query.paths.push_back(app::ProbeCache::defaultFolder());
    query.measureMemory = measureMemory;
    return query;
}

std::string logFolder() {
    return app::logFolder(environment("XDG_STATE_HOME"), homeFolder());
}

bool debugIsOn() {
    return environment("GGUF_DEBUG") == "1";
}

void noteReport(Context& context, const host::LoadReport& report, const host::LoadRequest& request) {
    std::string level = "warning";
    if (!context.arguments.has("no-config"))
        level = configuration(context).store().get<app::settings::LogLevel>();
    if (debugIsOn()) level = "debug";
    if (level == "error") return;
    for (const Error& warning : report.warnings)
        context.output.note("Warning: " + warning.message() + " (" + std::string(warning.name()) + ")");
    for (const std::string& sentence : report.overrides)
        context.output.note("Note: " + sentence);
    if (level == "info") {
        context.output.note("Loaded on " + report.backend +
                            (report.device.empty() ? "" : ", " + report.device) + ": " +
                            std::to_string(report.gpuLayers) + " layers on the GPU, context " +
                            std::to_string(report.contextTokens) + ".");
    }
    if (level == "debug") context.output.note(reportJson(report, request).dump());
}

Json reportJson(const host::LoadReport& report, const host::LoadRequest& request) {
    Json json = report.toJson();
    json["batch"] = request.batchTokens;
    return json;
}

Json answerJson(const host::Answer& answer, const host::LoadReport& report,
                const host::LoadRequest& request) {
    Json json = {{"done", true},
                 {"text", answer.text},
                 {"prompt_tokens", answer.promptTokens},
                 {"tokens", answer.tokens},
                 {"stop_reason", answer.stopReason},
                 {"tokens_per_second", answer.tokensPerSecond},
                 {"cached_tokens", answer.cachedTokens},
                 {"evaluated_tokens", answer.promptTokens - answer.cachedTokens},
                 {"prompt_ms", answer.promptMilliseconds},
                 {"load_report", reportJson(report, request)}};
    if (answer.error) json["error"] = errorJson(*answer.error);
    return json;
}

}  // namespace loader::cli
