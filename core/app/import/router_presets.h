// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The preset file (INI) of llama.cpp's router: its grammar, the names of its options, and how ours are
// written with them. Reading one into our settings is plugins/importers/llama-cpp-presets.
// @source llama.cpp common/preset.cpp, common/arg.cpp, tools/server/README.md "Model presets"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/app/config/setting_list.h"
#include "core/engine/base/result.h"

namespace loader::app {

struct PresetEntry {
    std::string key;
    std::string value;
    unsigned line = 0;
};
struct PresetSection {
    /// Empty for what stands before the first section; "*" holds for all.
    std::string name;
    std::vector<PresetEntry> entries;
};
struct PresetText {
    std::vector<PresetSection> sections;
    /// Lines that are neither a section nor a key with a value.
    std::vector<unsigned> strangeLines;
};
/// Ends of lines of any system; ; and # begin a comment where they begin a line. Limits: 65,536 lines.
/// @errors C501 more lines
Result<PresetText> parseRouterPresets(std::string_view text);

enum class PresetMeaning : std::uint8_t {
    /// The value of the target.
    Same,
    /// True or false; a bare "no-" in front is false.
    Flag,
    /// auto, all or a number; -1 is auto, below that all.
    Layers,
    Threads,
    /// -1 is as many as fit.
    Tokens,
    CacheType,
    Seed,
    /// Names with ; between them.
    NameList,
    Model,
    Projector,
    Repository,
    RepositoryFile,
    Alias,
    /// "none" is the processor.
    Device,
    /// Nothing here.
    None,
    Secret,
};

/// One option of the command line, which is also a key of a preset.
struct PresetOption {
    /// The long form without its dashes.
    std::string_view name;
    /// Others, short ones and variables, separated by |.
    std::string_view others;
    PresetMeaning meaning;
    /// Our setting; empty where there is none.
    std::string_view target;
    /// Why it is not taken over, where it is not.
    std::string_view reason;
};
/// By any of its names. Null where it is not known.
const PresetOption* findPresetOption(std::string_view name);

/// What is written as one section.
struct RouterPreset {
    /// "*" holds for all; else the model's name.
    std::string name;
    /// Path of the model; empty for "*".
    std::string model;
    std::string projector;
    /// Keys of ours with their values.
    std::vector<std::pair<std::string, Json>> settings;
};
/// A preset file. What llama.cpp has no option for stands in it as a comment with the key.
std::string routerPresetText(const std::vector<RouterPreset>& presets);

}  // namespace loader::app
