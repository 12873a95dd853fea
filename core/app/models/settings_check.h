// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Settings against the model's file and this machine: values that are allowed, each by itself, but that this
// model or this computer cannot honour. Whether a value is allowed at all is told by setting_list.h.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/config/setting_list.h"
#include "core/app/models/memory_fit.h"

namespace loader::app {

enum class Severity : std::uint8_t {
    /// The model cannot be loaded like this.
    Error,
    /// It can, but not as the user thinks.
    Warning,
    /// Worth knowing.
    Note,
};
/// "error", "warning", "note".
const char* nameOf(Severity severity);

struct SettingFinding {
    Severity severity = Severity::Note;
    /// Of settings.inc.
    std::string key;
    /// The value that was looked at, as JSON text.
    std::string value;
    /// Whole sentences.
    std::string sentence;
    std::string remedy;
};

/// A back end as the check has to know it.
struct CheckedBackend {
    std::string id;
    std::vector<std::string> devices;
    bool gpu = false;
    /// Why it cannot be used; empty where it can.
    std::string refusal;
};

struct CheckedMachine {
    MemorySituation situation;
    Margins margins;
    unsigned physicalCores = 1;
    unsigned logicalCores = 1;
    /// What a process may keep from being moved out of memory; nothing where there is no limit. @unit bytes
    std::optional<std::uint64_t> lockable;
    std::vector<CheckedBackend> backends;
};

/// Effective values by key; what is absent has its default.
using CheckedValues = std::map<std::string, Json, std::less<>>;

/// Errors first, in the order of the settings within a severity; empty where nothing is to be said.
/// @param facts of the model, with the plans of the back ends that are to be judged
/// @thread any; pure
std::vector<SettingFinding> checkSettings(const CheckedValues& values, const protocol::ModelFacts& facts,
                                          const CheckedMachine& machine);

}  // namespace loader::app
