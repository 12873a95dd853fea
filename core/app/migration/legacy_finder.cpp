// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Sources of the places: hussainnazary2/LLM-Toolkit app/core/app_controller.py,
// app/core/config_migration_tools.py, docs/migration_guide_v2.md; GGUFloader/gguf-loader resource_manager.py,
// addons/floating_chat/main.py.

#include "core/app/migration/legacy_finder.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "core/app/storage/json_text.h"
#include "core/app/storage/utf8_path.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;
using System = SearchRoots::System;

/// Of engines in front of that of the application: the more special file counts more.
constexpr std::array<std::string_view, 5> kSettingsNames = {
    "backend_config.json", "config.json", "app_config.json", "settings.json", "preferences.json"};
constexpr std::string_view kMeasurements = "model_performance_cache.json";
constexpr std::string_view kConfigEnding = ".config.json";
constexpr std::size_t kMostFiles = 10'000;
constexpr int kMostLevels = 16;

std::string below(const std::string& folder, std::string_view name) {
    return folder + "/" + std::string(name);
}

bool exists(const std::string& path) {
    std::error_code fault;
    // A dangling link is there, and is reported.
    return fs::exists(fs::symlink_status(utf8Path(path), fault));
}

/// Our own configuration carries a mark; one without it in our folder was written by somebody else.
bool isOurs(const std::string& path) {
    const auto text = readJsonFile(path);
    return text.ok() && text->document.is_object() && text->document.contains("schema");
}

std::vector<std::string> namesIn(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code fault;
    fs::directory_iterator at(utf8Path(folder), fault);
    for (; !fault && at != fs::directory_iterator() && names.size() < kMostFiles; at.increment(fault))
        names.push_back(utf8Text(at->path().filename()));
    std::sort(names.begin(), names.end());
    return names;
}

void addFilesBelow(const std::string& folder, LegacyKind kind, std::vector<LegacyFile>& found) {
    std::error_code fault;
    fs::recursive_directory_iterator at(utf8Path(folder), fs::directory_options::skip_permission_denied,
                                        fault);
    std::vector<std::string> paths;
    for (; !fault && at != fs::recursive_directory_iterator() && paths.size() < kMostFiles;
         at.increment(fault)) {
        if (at.depth() >= kMostLevels) at.disable_recursion_pending();
        std::error_code unknown;
        if (at->is_regular_file(unknown) && !at->is_symlink(unknown)) paths.push_back(utf8Text(at->path()));
    }
    std::sort(paths.begin(), paths.end());
    for (std::string& path : paths)
        found.push_back({kind, std::move(path)});
}

void addSettings(const std::string& folder, std::vector<LegacyFile>& found) {
    const auto add = [&](std::string_view name, LegacyKind kind) {
        const std::string path = below(folder, name);
        if (exists(path) && !(name == "config.json" && isOurs(path))) found.push_back({kind, path});
    };
    for (const std::string_view name : kSettingsNames)
        add(name, LegacyKind::Settings);
    for (const std::string& name : namesIn(folder))
        if (name.size() > kConfigEnding.size() && std::string_view(name).ends_with(kConfigEnding))
            add(name, LegacyKind::Settings);
    add(kMeasurements, LegacyKind::Measurements);
}

void addStores(const SearchRoots& roots, std::vector<LegacyFile>& found) {
    const auto add = [&](const std::string& name, LegacyKind kind) {
        if (exists(below(roots.configHome, name))) found.push_back({kind, below(roots.configHome, name)});
    };
    if (roots.system == System::Linux) {
        add("KiroDeveloper/LLM Toolkit.conf", LegacyKind::Store);
        add("GGUFLoader/FloatingChat.conf", LegacyKind::Store);
    } else if (roots.system == System::MacOs) {
        add("com.kirodeveloper.LLM Toolkit.plist", LegacyKind::PropertyList);
        add("com.ggufloader.FloatingChat.plist", LegacyKind::PropertyList);
    }
}

/// A link and the file that it leads to are one.
std::vector<LegacyFile> withoutRepeats(std::vector<LegacyFile> files) {
    std::set<std::string> known;
    std::vector<LegacyFile> each;
    for (LegacyFile& file : files) {
        std::error_code fault;
        const fs::path whole = fs::canonical(utf8Path(file.path), fault);
        if (known.insert(fault ? file.path : utf8Text(whole)).second) each.push_back(std::move(file));
    }
    return each;
}

}  // namespace

std::vector<std::string> LegacyFinder::folders() const {
    std::vector<std::string> all = {below(m_roots.home, ".gguf-loader"), below(m_roots.home, ".llm-toolkit")};
    if (m_roots.system == System::Linux) all.push_back(below(m_roots.configHome, "gguf-loader"));
    all.push_back(m_roots.system == System::Windows ? below(m_roots.configHome, "GGUFLoader")
                                                    : below(m_roots.home, ".ggufloader"));
    return all;
}

std::vector<LegacyFile> LegacyFinder::settings() const {
    std::vector<LegacyFile> found;
    for (const std::string& folder : folders())
        addSettings(folder, found);
    // The old program kept its measurements wherever it was started.
    if (!m_roots.working.empty() && exists(below(m_roots.working, kMeasurements)))
        found.push_back({LegacyKind::Measurements, below(m_roots.working, kMeasurements)});
    addStores(m_roots, found);
    return withoutRepeats(std::move(found));
}

std::vector<LegacyFile> LegacyFinder::settingsIn(const std::string& folder) const {
    std::vector<LegacyFile> found;
    for (const char* inside : {"", "/config", "/settings", "/.gguf-loader", "/.llm-toolkit"})
        addSettings(folder + inside, found);
    for (const std::string& name : namesIn(folder)) {
        if (std::string_view(name).ends_with(".conf"))
            found.push_back({LegacyKind::Store, below(folder, name)});
        if (std::string_view(name).ends_with(".reg"))
            found.push_back({LegacyKind::RegistryExport, below(folder, name)});
    }
    return withoutRepeats(std::move(found));
}

std::vector<LegacyFile> LegacyFinder::logs() const {
    std::vector<LegacyFile> found;
    for (const std::string& folder : folders())
        addFilesBelow(below(folder, "logs"), LegacyKind::Log, found);
    if (m_roots.system == System::Windows)
        addFilesBelow(below(m_roots.dataHome, "GGUFLoader/logs"), LegacyKind::Log, found);
    return withoutRepeats(std::move(found));
}

std::vector<LegacyFile> LegacyFinder::models() const {
    std::vector<LegacyFile> found;
    for (const char* folder : {".gguf-loader/models", ".llm-toolkit/models", ".ggufloader/models"})
        addFilesBelow(below(m_roots.home, folder), LegacyKind::Model, found);
    return withoutRepeats(std::move(found));
}

}  // namespace loader::app
