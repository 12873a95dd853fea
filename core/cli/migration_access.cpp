// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/migration_access.h"

#include <QDir>
#include <QStandardPaths>
#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "core/app/config/config_store.h"
#include "core/app/import/search_roots.h"
#include "core/app/storage/file_steps.h"
#include "core/app/storage/utf8_path.h"

namespace loader::cli {
namespace {

namespace fs = std::filesystem;

std::string timeText(const char* form) {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts{};
#ifdef _WIN32
    ::gmtime_s(&parts, &now);
#else
    ::gmtime_r(&now, &parts);
#endif
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), form, &parts);
    return std::string(text.data(), length);
}

bool exists(const std::string& path) {
    std::error_code fault;
    return fs::exists(app::utf8Path(path), fault);
}

app::BackupRole roleOf(app::LegacyKind kind) {
    switch (kind) {
        case app::LegacyKind::Store:
        case app::LegacyKind::PropertyList: return app::BackupRole::Store;
        case app::LegacyKind::Log: return app::BackupRole::Log;
        default: return app::BackupRole::Legacy;
    }
}

}  // namespace

app::MigrationPlaces migrationPlaces() {
    const QString data = QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation);
    return {app::joined(app::ConfigStore::defaultFolder(), app::ConfigStore::kConfigName),
            QDir(data).filePath(QStringLiteral("gguf-loader")).toStdString()};
}

app::SearchRoots searchRoots() {
    return app::searchRootsHere(homeFolder(), QDir::currentPath().toStdString(), environment);
}

std::vector<app::BackupItem> legacyItems(const app::SearchRoots& roots, const std::string& from) {
    const app::LegacyFinder finder(roots);
    std::error_code fault;
    std::vector<app::BackupItem> items;
    if (!from.empty() && !fs::is_directory(app::utf8Path(from), fault))
        return {{app::BackupRole::Legacy, from}};
    for (const app::LegacyFile& file : from.empty() ? finder.settings() : finder.settingsIn(from))
        items.push_back({roleOf(file.kind), file.path});
    if (!from.empty() || items.empty()) return items;
    for (const app::LegacyFile& file : finder.logs())
        items.push_back({app::BackupRole::Log, file.path});
    return items;
}

std::string backupId() {
    return timeText("%Y-%m-%dT%H-%M-%SZ");
}

void logMigration(const std::string& line) {
    std::error_code fault;
    fs::create_directories(app::utf8Path(logFolder()), fault);
    std::ofstream log(app::utf8Path(logFolder() + "/migration.log"), std::ios::app | std::ios::binary);
    log << timeText("%Y-%m-%dT%H:%M:%SZ ") << line << "\n";
}

void noteOlderSettings(Output& output, std::string_view command) {
    if (command == "migrate" || command == "rollback") return;
    const app::MigrationPlaces places = migrationPlaces();
    if (exists(places.journal())) output.note("A migration was interrupted. To finish it: gguf migrate");
    const std::string told = app::joined(places.dataFolder, "older-settings-told");
    if (exists(told) || exists(places.marker())) return;
    const app::SearchRoots roots = searchRoots();
    const auto found = app::LegacyFinder(roots).settings();
    if (found.empty()) return;
    // Told only where it can be remembered: rather never than always.
    const auto files = app::systemFiles();
    const bool remembered =
        app::makeFolders(*files, places.dataFolder).ok() && app::replaceFile(*files, told, "").ok();
    if (remembered) output.note("Settings of an older version were found: gguf migrate");
}

}  // namespace loader::cli
