// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The one list of keys that any version of the old program wrote or its documents speak of, and what becomes
// of each.
#pragma once

#include <cstdint>
#include <string_view>

namespace loader::app::ggufloader {

/// In which object a key stands.
enum class Scope : std::uint8_t {
    Top,
    /// "ai_settings"
    Answers,
    /// "preferences"
    Preferences,
    /// "ui"
    Window,
    /// "paths"
    Folders,
    /// A member of "backends" or "backend_configs", and its "custom_args" or "args".
    Entry,
    /// A store of QSettings; the key is its whole path.
    Store,
};

/// How the value is read.
enum class Way : std::uint8_t {
    Bool,
    Number,
    Text,
    /// Tokens; 0 is what the model was trained for.
    Context,
    /// -1 is every layer: n_gpu_layers of the engine that came first.
    LayersAll,
    /// -1 is chosen by the program: gpu_layers of the multi-engine program.
    LayersAuto,
    /// 0, -1 and null are chosen by the program.
    Threads,
    DefaultModel,
    /// One path that joins a list.
    Folder,
    Paths,
    Theme,
    LogLevel,
    WindowSize,
    Position,
    /// true, false: whether a GPU may be used.
    Gpu,
    /// "auto", "gpu", "cpu"
    GpuWord,
    /// Of one back end: false sets the layers to 0.
    EntryGpu,
    Preferred,
    Order,
    Priority,
    Version,
    /// The note is the reason.
    Nothing,
    /// An object of another scope.
    Object,
    Backends,
    ModelProfiles,
    BackendProfiles,
};

struct KeyRow {
    Scope scope;
    std::string_view key;
    Way way;
    std::string_view target;
    int rank;
    std::string_view note;
};

/// Null where the key is unknown.
const KeyRow* findKey(Scope scope, std::string_view key);
/// Whether any row of the scope has the key: for recognising files.
bool isTopKey(std::string_view key);

}  // namespace loader::app::ggufloader
