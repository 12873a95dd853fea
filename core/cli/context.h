// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a command is given, and steps that several commands share.
#pragma once

#include <memory>
#include <string>

#include "core/app/backend_manager/prober.h"
#include "core/app/hardware/hardware_facts.h"
#include "core/app/worker_client/worker_client.h"
#include "core/cli/options.h"
#include "core/cli/output.h"
#include "core/engine/sampling/parameters.h"
#include "core/host/generator.h"
#include "core/host/loaded_model.h"

namespace loader::cli {

class Configuration;

struct Context {
    const Arguments& arguments;
    Output& output;
    CancelToken cancel;
    /// Made when it is first asked for; see configuration().
    mutable std::shared_ptr<Configuration> configuration = nullptr;
};

/// Options of every command.
extern const std::span<const OptionSpec> kCommonOptions;
/// Options of every command that loads a model.
extern const std::span<const OptionSpec> kLoadOptions;
/// Which configuration counts; of the same commands.
extern const std::span<const OptionSpec> kConfigurationOptions;
/// Options of commands that generate text.
extern const std::span<const OptionSpec> kGenerationOptions;

/// What the options, the environment and the configuration say about loading MODEL.
/// @errors X001, F802, C517
Result<host::LoadRequest> loadRequest(const Context& context);
/// The same for a path that was resolved already. @errors X001, C517
Result<host::LoadRequest> loadRequestFor(const Context& context, const std::string& path);
/// Resolves MODEL, the first operand; `default` is the model that the configuration names.
/// @errors F802, D310, D313, C518
Result<std::string> modelPath(const Context& context);
/// What options and configuration say, on top of defaults (what the model's file recommends).
/// @errors X001, X006, C517
Result<host::AnswerOptions> answerOptions(const Context& context,
                                          const sampling::SamplingParameters& defaults);

/// A model with the registry it needs.
struct Loaded {
    std::unique_ptr<host::BackendRegistry> registry;
    std::unique_ptr<host::LoadedModel> model;
};
/// How the workers beside this program are started.
app::WorkerOptions workerOptions();
/// A variable of the environment; empty where unset.
std::string environment(const char* name);
std::string homeFolder();
/// Where what back ends said is remembered. @param again asks them again
app::ProbeMemory probeMemory(bool again);
/// What of this machine is asked for; without probes.
app::HardwareQuery hardwareQuery(const Context& context, bool measureMemory);
/// Where logs are.
std::string logFolder();
/// GGUF_DEBUG=1.
bool debugIsOn();
/// What of a load the user should hear, on standard error.
void noteReport(Context& context, const host::LoadReport& report, const host::LoadRequest& request);
/// Loads MODEL into this process as the options say, with a progress line, and notes warnings on standard
/// error.
Result<Loaded> loadModel(Context& context, const host::LoadRequest& request);

/// The report with what only the request knows.
Json reportJson(const host::LoadReport& report, const host::LoadRequest& request);
/// The final object of `run --json`, of which `chat` and others print parts.
Json answerJson(const host::Answer& answer, const host::LoadReport& report, const host::LoadRequest& request);

// The commands, one file each.
Result<int> runCommand(Context& context);
Result<int> chatCommand(Context& context);
Result<int> estimateCommand(Context& context);
Result<int> recommendCommand(Context& context);
Result<int> importCommand(Context& context);
Result<int> inspectCommand(Context& context);
Result<int> tokenizeCommand(Context& context);
Result<int> detokenizeCommand(Context& context);
Result<int> templateCommand(Context& context);
Result<int> logitsCommand(Context& context);
Result<int> perplexityCommand(Context& context);
Result<int> benchCommand(Context& context);
Result<int> modelsCommand(Context& context);
Result<int> backendsCommand(Context& context);
Result<int> hardwareCommand(Context& context);
Result<int> doctorCommand(Context& context);
Result<int> migrateCommand(Context& context);
Result<int> rollbackCommand(Context& context);
Result<int> configCommand(Context& context);

}  // namespace loader::cli
