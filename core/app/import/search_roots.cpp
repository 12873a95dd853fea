// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/import/search_roots.h"

#include <array>

namespace loader::app {
namespace {

constexpr std::array kVariables = {
    // Places that everybody uses.
    "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "APPDATA", "LOCALAPPDATA", "USERPROFILE",
    "ProgramData",
    // Caches of models.
    "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LLAMA_CACHE",
    // A configuration that llama-cpp-python's server is told of.
    "CONFIG_FILE",
    // Ollama's models and settings.
    "OLLAMA_MODELS", "OLLAMA_HOST", "OLLAMA_CONTEXT_LENGTH", "OLLAMA_KEEP_ALIVE", "OLLAMA_KV_CACHE_TYPE",
    "OLLAMA_FLASH_ATTENTION", "OLLAMA_NUM_PARALLEL", "OLLAMA_MAX_LOADED_MODELS", "OLLAMA_GPU_OVERHEAD",
    "OLLAMA_SCHED_SPREAD", "OLLAMA_VULKAN", "OLLAMA_ORIGINS",
    // Its own, of the application that this one takes over from.
    "GGUF_BACKEND", "GGUF_GPU_ENABLED", "GGUF_DEBUG"};

std::string either(const std::string& named, const std::string& usual) {
    return named.empty() ? usual : named;
}

}  // namespace

std::span<const char* const> importVariables() {
    return kVariables;
}

SearchRoots searchRootsOf(SearchRoots::System system, const std::string& home, const std::string& working,
                          const EnvironmentLookup& environment) {
    SearchRoots roots;
    roots.system = system;
    roots.home = home;
    roots.working = working;
    for (const char* name : kVariables) {
        std::string value = environment(name);
        if (!value.empty()) roots.environment[name] = std::move(value);
    }
    switch (system) {
        case SearchRoots::System::Linux:
            roots.configHome = either(roots.variable("XDG_CONFIG_HOME"), home + "/.config");
            roots.dataHome = either(roots.variable("XDG_DATA_HOME"), home + "/.local/share");
            roots.cacheHome = either(roots.variable("XDG_CACHE_HOME"), home + "/.cache");
            break;
        case SearchRoots::System::MacOs:
            roots.configHome = home + "/Library/Preferences";
            roots.dataHome = home + "/Library/Application Support";
            roots.cacheHome = home + "/Library/Caches";
            break;
        case SearchRoots::System::Windows:
            roots.configHome = either(roots.variable("APPDATA"), home + "/AppData/Roaming");
            roots.dataHome = either(roots.variable("LOCALAPPDATA"), home + "/AppData/Local");
            roots.cacheHome = roots.dataHome;
            break;
    }
    return roots;
}

SearchRoots searchRootsHere(const std::string& home, const std::string& working,
                            const EnvironmentLookup& environment) {
#if defined(_WIN32)
    constexpr auto kHere = SearchRoots::System::Windows;
#elif defined(__APPLE__)
    constexpr auto kHere = SearchRoots::System::MacOs;
#else
    constexpr auto kHere = SearchRoots::System::Linux;
#endif
    return searchRootsOf(kHere, home, working, environment);
}

}  // namespace loader::app
