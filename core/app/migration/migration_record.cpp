// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/migration/migration_record.h"

#include <utility>

#include "core/app/config/config_store.h"
#include "core/app/storage/file_steps.h"

namespace loader::app {
namespace {

constexpr int kSchema = 1;

std::string textAt(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<MigrationRecord> recordOf(const Json& json) {
    const auto sources = json.is_object() ? json.find("sources") : json.end();
    if (!json.is_object() || sources == json.end() || !sources->is_array())
        return Error(Errc::C501, {"a record of a migration is not whole"});
    MigrationRecord record;
    record.backup = textAt(json, "backup");
    record.configBefore = textAt(json, "config_before");
    record.configAfter = textAt(json, "config_after");
    record.rolledBack = json.value("rolled_back", Json(false)) == true;
    for (const Json& source : *sources)
        if (source.is_object()) record.sources.push_back({textAt(source, "path"), textAt(source, "sha256")});
    return record;
}

Json toJson(const MigrationRecord& record) {
    Json sources = Json::array();
    for (const MigratedSource& source : record.sources)
        sources.push_back({{"path", source.path}, {"sha256", source.sha256}});
    return {{"backup", record.backup},
            {"sources", std::move(sources)},
            {"config_before", record.configBefore},
            {"config_after", record.configAfter},
            {"rolled_back", record.rolledBack}};
}

}  // namespace

std::string MigrationPlaces::backups() const {
    return joined(dataFolder, "backups");
}
std::string MigrationPlaces::marker() const {
    return joined(dataFolder, "migrated.json");
}
std::string MigrationPlaces::journal() const {
    return joined(dataFolder, "migration-under-way.json");
}
std::string MigrationPlaces::lock() const {
    return joined(dataFolder, "migration.lock");
}
std::string MigrationPlaces::configLock() const {
    return joined(folderOf(config), ConfigStore::kLockName);
}

bool MigratedSource::operator==(const MigratedSource& other) const {
    return path == other.path && sha256 == other.sha256;
}

Result<std::vector<MigrationRecord>> readRecords(FileOperations& files, const std::string& path) {
    std::vector<MigrationRecord> records;
    LOADER_TRY(const FileFacts facts, files.facts(path));
    if (facts.kind == FileKind::Missing) return records;
    LOADER_TRY(const std::string text, files.read(path, kMostConfigBytes));
    auto parsed = parseJson(text);
    if (!parsed) return std::move(parsed).error().within(path);
    const Json list = parsed->document.is_object() ? parsed->document.value("migrations", Json()) : Json();
    if (!list.is_array()) return Error(Errc::C501, {"it holds no records of migrations"}, path);
    for (const Json& one : list) {
        auto record = recordOf(one);
        if (!record) return std::move(record).error().within(path);
        records.push_back(std::move(*record));
    }
    return records;
}

Status writeRecords(FileOperations& files, const std::string& path,
                    const std::vector<MigrationRecord>& records) {
    Json json = {{"schema", kSchema}, {"migrations", Json::array()}};
    for (const MigrationRecord& record : records)
        json["migrations"].push_back(toJson(record));
    LOADER_CHECK(makeFolders(files, folderOf(path)));
    return replaceFile(files, path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<std::string> hashIfThere(FileOperations& files, const std::string& path) {
    LOADER_TRY(const std::string target, files.target(path));
    LOADER_TRY(const FileFacts facts, files.facts(target));
    if (facts.kind == FileKind::Missing) return std::string();
    return sha256OfFile(files, target);
}

}  // namespace loader::app
