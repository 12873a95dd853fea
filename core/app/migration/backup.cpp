// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/migration/backup.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "core/app/storage/file_steps.h"

namespace loader::app {
namespace {

constexpr std::string_view kManifest = "manifest.json";
constexpr std::string_view kUnfinished = "unfinished";
constexpr int kManifestSchema = 1;
constexpr int kMostOfOneSecond = 1000;
constexpr std::array<std::string_view, 4> kRoleNames = {"settings", "legacy", "store", "log"};

bool isThere(FileOperations& files, const std::string& path) {
    const auto facts = files.facts(path);
    return facts.ok() && facts->kind != FileKind::Missing;
}

/// A numbered name: two files of one name, or of names that differ in case only, do not meet.
std::string storedName(std::size_t number, const std::string& original) {
    char digits[16];
    std::snprintf(digits, sizeof digits, "%04zu-", number);
    std::string name = fileNameOf(original);
    for (char& c : name)
        if (static_cast<unsigned char>(c) < 0x20 ||
            std::string_view("<>:\"/\\|?*").find(c) != std::string_view::npos)
            c = '_';
    // Of the end there is more to learn than of the beginning.
    constexpr std::size_t kLongest = 100;
    if (name.size() > kLongest) name = name.substr(name.size() - kLongest);
    return digits + name;
}

Json toJson(const BackupEntry& entry) {
    return {{"role", nameOf(entry.role)}, {"original", entry.original}, {"stored", entry.stored},
            {"sha256", entry.sha256},     {"bytes", entry.bytes},       {"mode", entry.mode},
            {"fault", entry.fault}};
}

template <class T>
bool take(const Json& object, const char* key, T& out) {
    const auto found = object.find(key);
    if (found == object.end()) return false;
    if constexpr (std::is_same_v<T, std::string>) {
        if (!found->is_string()) return false;
    } else {
        if (!found->is_number_unsigned()) return false;
    }
    out = found->template get<T>();
    return true;
}

Result<BackupEntry> entryOf(const Json& json) {
    BackupEntry entry;
    std::string role;
    const bool whole = json.is_object() && take(json, "role", role) &&
                       take(json, "original", entry.original) && take(json, "stored", entry.stored) &&
                       take(json, "sha256", entry.sha256) && take(json, "bytes", entry.bytes) &&
                       take(json, "mode", entry.mode) && take(json, "fault", entry.fault);
    const auto known = std::find(kRoleNames.begin(), kRoleNames.end(), role);
    // A stored name leads nowhere but into the backup's own folder.
    const bool inside = entry.stored.find_first_of("/\\") == std::string::npos && entry.stored != "..";
    if (!whole || known == kRoleNames.end() || !inside || entry.original.empty())
        return Error(Errc::C507, {"an entry of its manifest is not whole"});
    entry.role = static_cast<BackupRole>(known - kRoleNames.begin());
    return entry;
}

/// Copies one file; what cannot be read is told in the entry, what cannot be written ends the backup.
Result<BackupEntry> copyItem(FileOperations& files, const BackupItem& item, const std::string& folder,
                             std::size_t number) {
    BackupEntry entry;
    entry.role = item.role;
    entry.original = item.path;
    const auto target = files.target(item.path);
    const auto facts = target ? files.facts(*target) : Result<FileFacts>(target.error());
    if (!facts) {
        entry.fault = facts.error().message();
        return entry;
    }
    if (facts->kind == FileKind::Missing) return entry;
    entry.bytes = facts->bytes;
    entry.mode = facts->mode & 0777u;
    if (facts->kind != FileKind::Regular)
        entry.fault = "it is no regular file";
    else if (item.role == BackupRole::Log && facts->bytes > kMostLogBytes)
        entry.fault = "it is too large to be copied";
    if (!entry.fault.empty()) return entry;
    const std::string name = storedName(number, item.path);
    // Whoever could not read the original cannot read the copy either.
    auto hash = copyFile(files, item.path, joined(folder, name), 0600);
    if (!hash && hash.error().code() == Errc::F806) return std::move(hash).error();
    if (!hash) {
        entry.fault = hash.error().message();
        return entry;
    }
    entry.stored = name;
    entry.sha256 = std::move(*hash);
    LOADER_TRY(const FileFacts copy, files.facts(joined(folder, name)));
    entry.bytes = copy.bytes;
    return entry;
}

std::string inventoryText(const std::vector<ModelRecord>& models) {
    std::string text;
    for (const ModelRecord& model : models)
        text +=
            (model.missing ? std::string("missing") : std::to_string(model.bytes)) + "\t" + model.path + "\n";
    return text;
}

Json inventoryJson(const std::vector<ModelRecord>& models) {
    Json list = Json::array();
    for (const ModelRecord& model : models)
        list.push_back({{"path", model.path}, {"bytes", model.bytes}, {"missing", model.missing}});
    return {{"models", std::move(list)}};
}

std::string textOfJson(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::string> makeNewFolder(FileOperations& files, const BackupRequest& request, std::string& id) {
    LOADER_CHECK(makeFolders(files, request.folder));
    for (int number = 1; number <= kMostOfOneSecond; ++number) {
        id = request.id + (number == 1 ? "" : "-" + std::to_string(number));
        const std::string folder = joined(request.folder, id);
        LOADER_TRY(const FileFacts there, files.facts(folder));
        if (there.kind != FileKind::Missing) continue;
        LOADER_CHECK(makeFolders(files, folder));
        LOADER_CHECK(replaceFile(files, joined(folder, kUnfinished), "", kPrivateMode));
        return folder;
    }
    return Error(Errc::F806, {"too many backups of one second"}, request.folder);
}

Status removeWithContent(FileOperations& files, const std::string& folder) {
    LOADER_TRY(const auto entries, files.list(folder));
    for (const FolderEntry& entry : entries)
        if (entry.kind == FileKind::Regular && entry.name != kUnfinished)
            LOADER_CHECK(files.remove(joined(folder, entry.name)));
    // The mark goes last, so that a second attempt still knows what this is.
    LOADER_CHECK(files.remove(joined(folder, kUnfinished)));
    return files.removeFolder(folder);
}

Status fill(FileOperations& files, const BackupRequest& request, BackupManifest& manifest,
            CancelToken cancel) {
    for (const BackupItem& item : request.items) {
        LOADER_CHECK(cancel.check());
        LOADER_TRY(BackupEntry entry, copyItem(files, item, manifest.folder, manifest.entries.size() + 1));
        manifest.entries.push_back(std::move(entry));
    }
    const auto put = [&](std::string_view name, const std::string& text) {
        return replaceFile(files, joined(manifest.folder, name), text, kPrivateMode);
    };
    LOADER_CHECK(put("models.txt", inventoryText(request.models)));
    LOADER_CHECK(put("models.json", textOfJson(inventoryJson(request.models))));
    // A backup that cannot be restored is none.
    LOADER_CHECK(verifyBackup(files, manifest));
    Json json = {{"schema", kManifestSchema}, {"id", manifest.id}, {"entries", Json::array()}};
    for (const BackupEntry& entry : manifest.entries)
        json["entries"].push_back(toJson(entry));
    return put(kManifest, textOfJson(json));
}

}  // namespace

std::string_view nameOf(BackupRole role) {
    return kRoleNames[static_cast<std::size_t>(role)];
}

const BackupEntry* BackupManifest::find(std::string_view original) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [original](const BackupEntry& entry) {
        return entry.original == original;
    });
    return found == entries.end() ? nullptr : &*found;
}

Result<BackupManifest> makeBackup(FileOperations& files, const BackupRequest& request, CancelToken cancel) {
    BackupManifest manifest;
    LOADER_TRY(manifest.folder, makeNewFolder(files, request, manifest.id));
    Status filled = fill(files, request, manifest, cancel);
    if (!filled) {
        ignoreErrorBecause("the failure above is what counts; the rest is cleared away later",
                           removeWithContent(files, manifest.folder));
        return std::move(filled).error();
    }
    LOADER_CHECK(files.remove(joined(manifest.folder, kUnfinished)));
    LOADER_CHECK(files.syncFolder(manifest.folder));
    return manifest;
}

Result<BackupManifest> readBackup(FileOperations& files, const std::string& folder) {
    const std::string path = joined(folder, kManifest);
    LOADER_TRY(const std::string text, files.read(path, kMostConfigBytes));
    const auto parsed = parseJson(text);
    const auto damaged = [&path](const std::string& why) { return Error(Errc::C507, {why}, path); };
    if (!parsed || !parsed->document.is_object()) return damaged("its manifest cannot be read");
    const Json& json = parsed->document;
    if (json.value("schema", Json()) != kManifestSchema) return damaged("its manifest is of another version");
    BackupManifest manifest;
    manifest.folder = folder;
    if (!take(json, "id", manifest.id) || !json.contains("entries") || !json["entries"].is_array())
        return damaged("its manifest is not whole");
    for (const Json& one : json["entries"]) {
        auto entry = entryOf(one);
        if (!entry) return std::move(entry).error().within(path);
        manifest.entries.push_back(std::move(*entry));
    }
    return manifest;
}

Status verifyBackup(FileOperations& files, const BackupManifest& manifest) {
    for (const BackupEntry& entry : manifest.entries) {
        if (entry.stored.empty()) continue;
        const auto hash = sha256OfFile(files, joined(manifest.folder, entry.stored));
        if (hash && *hash == entry.sha256) continue;
        return Error(Errc::C507, {"the copy of " + entry.original + " is not what it was"},
                     joined(manifest.folder, entry.stored));
    }
    return {};
}

std::vector<std::string> listBackups(FileOperations& files, const std::string& folder) {
    std::vector<std::string> names;
    const auto entries = files.list(folder);
    if (!entries) return names;
    for (const FolderEntry& entry : *entries)
        if (entry.kind == FileKind::Folder && isThere(files, joined(joined(folder, entry.name), kManifest)))
            names.push_back(entry.name);
    return names;
}

Status removeUnfinishedBackups(FileOperations& files, const std::string& folder) {
    if (!isThere(files, folder)) return {};
    LOADER_TRY(const auto entries, files.list(folder));
    for (const FolderEntry& entry : entries) {
        const std::string path = joined(folder, entry.name);
        if (entry.kind != FileKind::Folder) continue;
        if (!isThere(files, joined(path, kUnfinished))) continue;
        if (isThere(files, joined(path, kManifest)))
            LOADER_CHECK(files.remove(joined(path, kUnfinished)));
        else
            LOADER_CHECK(removeWithContent(files, path));
    }
    return {};
}

}  // namespace loader::app
