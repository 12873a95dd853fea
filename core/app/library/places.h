// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Where models are looked for: the user's folders, single files, and the caches of the Hugging Face hub and
// of llama.cpp. The environment is passed in.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace loader::app {

enum class PlaceKind : std::uint8_t {
    /// A folder of the user, at any depth.
    Folder,
    /// One file that was added by itself.
    Single,
    /// `models--ORG--NAME` folders, as huggingface_hub and newer llama.cpp keep them.
    HubCache,
    /// The flat folder of older llama.cpp.
    FlatCache,
    /// The model that comes with the program.
    BuiltIn,
};
/// "folder", "file", "hub", "cache", "built-in".
const char* nameOf(PlaceKind kind);
/// Caches belong to other programs: what vanishes there is forgotten instead of listed as missing.
bool isCache(PlaceKind kind);

struct LibraryPlace {
    PlaceKind kind = PlaceKind::Folder;
    /// Absolute, UTF-8.
    std::string path;
    /// Of a single file: what the user or another program calls it, and what is known of it. May be empty.
    std::string name;
    std::string projector;
    std::string sha256;
    /// A place that nobody asked for may be missing without a word.
    bool usual = false;
};

struct PlaceQuery {
    /// A variable of the environment; empty where unset.
    std::function<std::string(const char*)> variable;
    std::string home;
    /// The data folder of all applications (~/.local/share).
    std::string dataHome;
    /// The built-in model; empty where there is none.
    std::string guide;
    /// Of the setting models.folders.
    std::vector<std::string> folders;
};

/// The built-in model, the user's default folder, those of the setting, those of GGUF_LOADER_MODELS, then the
/// caches; each once. @thread any; reads no disk
std::vector<LibraryPlace> usualPlaces(const PlaceQuery& query);

/// The folder that is there without asking: `gguf-loader/models` in the data folder.
std::string defaultModelFolder(const std::string& dataHome);

}  // namespace loader::app
