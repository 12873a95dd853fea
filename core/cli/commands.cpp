// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/commands.h"

#include <algorithm>
#include <array>

#include "core/cli/context.h"

namespace loader::cli {
namespace {

constexpr std::array kRun = {
    OptionSpec{"prompt", 'p', "TEXT", "The prompt (default: standard input)"},
    OptionSpec{"chat", 0, {}, "Take the prompt as a message and use the model's chat template"},
    OptionSpec{"no-bos", 0, {}, "Add no beginning and end tokens to raw text"},
    OptionSpec{"no-special", 0, {}, "Take the texts of special tokens in raw text as text"},
};
constexpr std::array kInspect = {
    OptionSpec{"tensors", 0, {}, "List the tensors"},
    OptionSpec{"program", 0, {}, "Print the program that back ends run"},
    OptionSpec{"metadata", 0, "KEY", "Print this metadata value in full"},
    OptionSpec{"architecture", 0, "NAME", "Take the model for this architecture"},
};
constexpr std::array kTokenize = {
    OptionSpec{"no-bos", 0, {}, "Add no beginning and end tokens"},
    OptionSpec{"no-special", 0, {}, "Take the texts of special tokens as text"},
};
constexpr std::array kDetokenize = {
    OptionSpec{"special", 0, {}, "Show the texts of control tokens"},
};
constexpr std::array kTemplate = {
    OptionSpec{"messages", 0, "FILE", "Messages: a JSON list, or an object with messages and variables"},
    OptionSpec{"tools", 0, "FILE", "Tools: a JSON list"},
    OptionSpec{"no-generation-prompt", 0, {}, "Do not ask for an answer"},
    OptionSpec{"now", 0, "TIME", "The time for strftime_now, as 2024-07-26T14:30"},
};
constexpr std::array kLogits = {
    OptionSpec{"prompt", 'p', "TEXT", "The prompt (default: standard input)"},
    OptionSpec{"out", 'o', "FILE", "Where the numbers go: little-endian float32"},
    OptionSpec{"no-bos", 0, {}, "Add no beginning and end tokens"},
};
constexpr std::array kPerplexity = {
    OptionSpec{"file", 'f', "FILE", "The text"},
    OptionSpec{"chunks", 0, "K", "Only the first K chunks"},
    OptionSpec{"compare-backend", 0, "ID", "Also how far the predictions are from those of this back end"},
};
constexpr std::array kBench = {
    OptionSpec{"prompt", 'p', "N", "Tokens of the prompt; 0 leaves it out (default: 512)"},
    OptionSpec{"generate", 'n', "N", "Tokens to generate; 0 leaves it out (default: 64)"},
    OptionSpec{"depth", 'd', "N", "Tokens in the cache before generation starts (default: 0)"},
    OptionSpec{"repetitions", 'r', "N", "Measurements of each (default: 5)"},
    OptionSpec{"no-kv-cache", 0, {}, "Compute everything again for every token"},
    OptionSpec{"no-warm-up", 0, {}, "Measure from the first round on"},
    OptionSpec{"first-token-runs", 0, "N", "Processes to time to a first token; 0 is none (default: 3)"},
    OptionSpec{"save", 0, "FILE", "Keep this as the baseline, in the data folder or in FILE.json", false,
               ".json"},
    OptionSpec{"compare", 0, "FILE", "Compare with the baseline, or with FILE.json", false, ".json"},
    OptionSpec{"all", 0, {}, "Every model (or MODEL) on every back end and device, each in its own process"},
    OptionSpec{"history", 0, {}, "What was measured and how fast answers were, and what that says"},
    OptionSpec{"no-history", 0, {}, "Do not remember this measurement"},
    OptionSpec{"no-ceilings", 0, {}, "Do not measure this machine's ceilings"},
    OptionSpec{"ceilings", 0, {}, "Only this machine's ceilings, at the given threads; needs no MODEL"},
    OptionSpec{"quick", 0, {}, "With --ceilings: in about a tenth of a second, less exactly"},
    OptionSpec{"working-set", 0, "BYTES", "With --ceilings: also the reading of so much again and again"},
    OptionSpec{"first-token-probe",
               0,
               {},
               "Print the first token of a 128-token prompt and end (used by bench itself)"},
};
constexpr std::array kModels = {
    OptionSpec{"all", 0, {}, "With test: every model of the library"},
    OptionSpec{"max-tokens", 'n', "N", "With test: tokens to write (default: 16)"},
    OptionSpec{"tensors", 0, {}, "With inspect: list the tensors"},
    OptionSpec{"name", 0, "TEXT", "With add: what the file shall be called"},
    OptionSpec{"projector", 0, "FILE", "With add: the projector that belongs to it"},
    OptionSpec{"sha256", 0, "HEX", "With add and verify: the SHA-256 that the file must have"},
    OptionSpec{"delete", 0, {}, "With remove: delete the files that this program made"},
    OptionSpec{"yes", 0, {}, "With remove --delete: also files that this program did not make"},
};
constexpr std::array kProbe = {
    OptionSpec{"again", 0, {}, "Ask drivers that were asked before"},
};
constexpr std::array kHardware = {
    OptionSpec{"quick", 0, {}, "Only read: measure no memory, and ask no driver"},
};
constexpr std::array kRecommend = {
    OptionSpec{"measure", 0, {}, "Try a few settings, at most for a minute"},
    OptionSpec{"apply", 0, {}, "Keep what is proposed as this model's settings"},
    OptionSpec{"revert", 0, {}, "Take back what --apply did"},
};
constexpr std::array kDoctor = {
    OptionSpec{"out", 'o', "FILE", "Write the whole report there, and show what was found"},
    OptionSpec{"quick", 0, {}, "Measure no memory"},
};

constexpr std::array kMigrate = {
    OptionSpec{"from", 0, "PATH",
               "Only this file or folder (default: wherever older versions keep settings)"},
    OptionSpec{"dry-run", 0, {}, "Only tell what would be taken over"},
    OptionSpec{"yes", 'y', {}, "Do not ask"},
    OptionSpec{"no-test-load", 0, {}, "Do not load the default model to prove the settings"},
};
constexpr std::array kRollback = {
    OptionSpec{"complete", 0, {}, "Also window positions, recent files and logs, not settings alone"},
    OptionSpec{"to", 0, "BACKUP", "To this backup (default: that of the last migration)"},
    OptionSpec{"force", 0, {}, "Also files that changed since; they are backed up first"},
    OptionSpec{"dry-run", 0, {}, "Only tell what would be restored"},
};
constexpr std::array kConfig = {
    OptionSpec{"model", 0, "PATH", "Settings of this model file"},
    OptionSpec{"preset", 0, "NAME", "Settings of this preset"},
    OptionSpec{"set", 0, {}, "With show: only what is set"},
    OptionSpec{"presets", 0, {}, "With show: the names of presets"},
    OptionSpec{"models", 0, {}, "With show: the paths of models that have settings"},
    OptionSpec{"markdown", 0, {}, "With show: the reference of all settings"},
    OptionSpec{"all", 0, {}, "With reset: every setting"},
    OptionSpec{"out", 'o', "FILE", "With export: write there"},
    OptionSpec{"list", 0, {}, "With backup: list the backups"},
    OptionSpec{"generation", 0, "N", "With restore: this earlier state of config.json (1 is the newest)"},
};

constexpr std::array kImport = {
    OptionSpec{"dry-run", 0, {}, "Only print the report"},
    OptionSpec{"yes", 'y', {}, "Do not ask"},
    OptionSpec{"overwrite", 0, {}, "What you have set gives way"},
    OptionSpec{"list", 0, {}, "List the importers"},
};

using Groups = std::vector<std::span<const OptionSpec>>;

const std::vector<CommandSpec>& table() {
    static const std::vector<CommandSpec> commands = {
        {"run", "Answer one prompt", "MODEL [-p TEXT]", 1, 1,
         Groups{kRun, kGenerationOptions, kLoadOptions, kConfigurationOptions, kCommonOptions}, runCommand},
        {"chat", "Talk with a model", "MODEL", 1, 1,
         Groups{kGenerationOptions, kLoadOptions, kConfigurationOptions, kCommonOptions}, chatCommand},
        {"inspect", "Show what a model file holds", "MODEL", 1, 1, Groups{kInspect, kCommonOptions},
         inspectCommand},
        {"tokenize", "Turn standard input into token ids", "MODEL", 1, 1, Groups{kTokenize, kCommonOptions},
         tokenizeCommand},
        {"detokenize", "Turn token ids into text", "MODEL ID...", 1, 1'000'000,
         Groups{kDetokenize, kCommonOptions}, detokenizeCommand},
        {"template", "Render a chat template", "MODEL_OR_JINJA --messages FILE", 1, 1,
         Groups{kTemplate, kCommonOptions}, templateCommand},
        {"logits", "Write the scores of the next token", "MODEL -p TEXT --out FILE", 1, 1,
         Groups{kLogits, kLoadOptions, kConfigurationOptions, kCommonOptions}, logitsCommand},
        {"perplexity", "Measure how well a model predicts a text", "MODEL -f FILE -c N", 1, 1,
         Groups{kPerplexity, kLoadOptions, kConfigurationOptions, kCommonOptions}, perplexityCommand},
        {"bench", "Measure speed against this machine's limits", "MODEL", 0, 1,
         Groups{kBench, kLoadOptions, kConfigurationOptions, kCommonOptions}, benchCommand},
        {"models", "List, test, check and manage the models of the library",
         "[list|refresh|add|remove|inspect|test|verify] [MODEL|PATH]", 0, 2,
         Groups{kModels, kLoadOptions, kConfigurationOptions, kCommonOptions}, modelsCommand},
        {"backends", "List back ends and devices", "", 0, 0, Groups{kProbe, kCommonOptions}, backendsCommand},
        {"estimate", "Tell how much memory a model needs, and whether it fits", "MODEL", 1, 1,
         Groups{kLoadOptions, kConfigurationOptions, kCommonOptions}, estimateCommand},
        {"hardware", "Show what this machine has", "", 0, 0, Groups{kHardware, kProbe, kCommonOptions},
         hardwareCommand},
        {"recommend", "Suggest settings for a model on this machine, with reasons", "MODEL", 1, 1,
         Groups{kRecommend, kLoadOptions, kConfigurationOptions, kCommonOptions}, recommendCommand},
        {"config", "Show or change the configuration",
         "show|get KEY|set KEY VALUE|reset [KEY]|validate|backup|restore|export", 0, 1000,
         Groups{kConfig, kCommonOptions}, configCommand},
        {"migrate", "Take over settings of an older version", "", 0, 0, Groups{kMigrate, kCommonOptions},
         migrateCommand},
        {"import", "Take over settings, models and chats of another program", "[APP|PATH] [PATH]", 0, 2,
         Groups{kImport, kCommonOptions}, importCommand},
        {"rollback", "Undo a migration", "", 0, 0, Groups{kRollback, kCommonOptions}, rollbackCommand},
        {"doctor", "Look for problems, and write a support report", "", 0, 0, Groups{kDoctor, kCommonOptions},
         doctorCommand},
    };
    return commands;
}

}  // namespace

std::span<const CommandSpec> allCommands() {
    return table();
}

const CommandSpec* findCommand(std::string_view name) {
    const auto& commands = table();
    const auto found = std::find_if(commands.begin(), commands.end(),
                                    [name](const CommandSpec& command) { return command.name == name; });
    return found == commands.end() ? nullptr : &*found;
}

}  // namespace loader::cli
