// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/migration/rollback.h"

#include <algorithm>
#include <utility>

#include "core/app/migration/migration.h"
#include "core/app/storage/file_steps.h"

namespace loader::app {
namespace {

class Run {
public:
    Run(FileOperations& files, const RollbackRequest& request,
        const std::function<void(const std::string&)>& log, CancelToken cancel)
        : m_files(files), m_request(request), m_log(log), m_cancel(cancel) {}

    Result<RollbackOutcome> execute() {
        LOADER_TRY(m_records, readRecords(m_files, m_request.places.marker()));
        LOADER_CHECK(choose());
        LOADER_TRY(m_manifest, readBackup(m_files, joined(m_request.places.backups(), m_outcome.backup)));
        LOADER_CHECK(verifyBackup(m_files, m_manifest));
        for (const BackupEntry& entry : m_manifest.entries) {
            const bool settings = entry.role == BackupRole::Settings || entry.role == BackupRole::Legacy;
            if (m_request.complete || settings) m_outcome.lines.push_back(judge(entry));
        }
        if (m_request.dryRun) return std::move(m_outcome);
        LOADER_CHECK(saveChanged());
        for (RollbackLine& line : m_outcome.lines) {
            LOADER_CHECK(m_cancel.check());
            put(line);
        }
        LOADER_CHECK(mark());
        return std::move(m_outcome);
    }

private:
    void say(const std::string& text) const {
        if (m_log) m_log("rollback: " + text);
    }

    Status choose() {
        const std::string& wanted = m_request.backup;
        for (const MigrationRecord& record : m_records)
            if (wanted.empty() ? !record.rolledBack : record.backup == wanted) m_record = record;
        m_outcome.backup = wanted.empty() ? m_record.backup : wanted;
        if (m_outcome.backup.empty()) return Error(Errc::C508);
        if (m_outcome.backup.find_first_of("/\\") != std::string::npos || m_outcome.backup == "..")
            return Error(Errc::X005, {"a backup is named, not its path"}, m_outcome.backup);
        return {};
    }

    /// What the file was like when the migration had finished; nothing where that was not recorded.
    std::optional<std::string> afterMigration(const BackupEntry& entry) const {
        if (entry.role != BackupRole::Settings || m_record.backup != m_outcome.backup) return std::nullopt;
        return m_record.configAfter;
    }

    RollbackLine judge(const BackupEntry& entry) const {
        RollbackLine line{entry.original, entry.role, RollbackAction::Left, std::nullopt};
        if (!entry.fault.empty()) {
            line.fault = Error(Errc::C507, {"it was not backed up: " + entry.fault}, entry.original);
            return line;
        }
        auto present = hashIfThere(m_files, entry.original);
        if (!present) {
            line.fault = std::move(present).error();
            return line;
        }
        const auto target = m_files.target(entry.original);
        const auto facts = target ? m_files.facts(*target) : Result<FileFacts>(target.error());
        const bool sameMode =
            present->empty() || !facts || facts->mode == 0 || (facts->mode & 0777u) == entry.mode;
        const auto after = afterMigration(entry);
        if (*present == entry.sha256 && sameMode)
            line.action = RollbackAction::Untouched;
        else if (*present == entry.sha256 || present->empty() || (after && *present == *after) ||
                 m_request.force)
            line.action = entry.wasMissing() ? RollbackAction::Removed : RollbackAction::Restored;
        else
            line.fault = Error(Errc::C510, {}, entry.original);
        return line;
    }

    /// A backup of what --force is about to replace.
    Status saveChanged() {
        BackupRequest wanted{m_request.places.backups(), m_request.id, {}, {}};
        for (const RollbackLine& line : m_outcome.lines) {
            const BackupEntry* entry = m_manifest.find(line.path);
            if (line.action != RollbackAction::Restored && line.action != RollbackAction::Removed) continue;
            LOADER_TRY(const std::string present, hashIfThere(m_files, line.path));
            const auto after = afterMigration(*entry);
            const bool known = present.empty() || present == entry->sha256 || (after && present == *after);
            if (!known) wanted.items.push_back({line.role, line.path});
        }
        if (wanted.items.empty()) return {};
        LOADER_TRY(const BackupManifest saved, makeBackup(m_files, wanted, m_cancel));
        m_outcome.changedSaved = saved.id;
        say("what changed since is in the backup " + saved.id);
        return {};
    }

    void put(RollbackLine& line) {
        Status done;
        if (line.action == RollbackAction::Restored) done = restore(*m_manifest.find(line.path));
        if (line.action == RollbackAction::Removed) done = remove(line.path);
        if (!done) {
            line.action = RollbackAction::Left;
            line.fault = std::move(done).error();
        }
        static constexpr const char* kWords[] = {"unchanged", "restored", "removed", "left alone"};
        say(std::string(kWords[static_cast<std::size_t>(line.action)]) + ": " + line.path);
    }

    Status restore(const BackupEntry& entry) {
        LOADER_TRY(const std::string present, hashIfThere(m_files, entry.original));
        // Only its permissions changed.
        if (present == entry.sha256) return m_files.setMode(entry.original, entry.mode);
        LOADER_TRY(const std::string bytes, m_files.read(joined(m_manifest.folder, entry.stored),
                                                         static_cast<std::size_t>(kMostLogBytes)));
        if (sha256Of(bytes) != entry.sha256)
            return Error(Errc::C507, {"the copy of " + entry.original + " is not what it was"});
        LOADER_CHECK(makeFolders(m_files, folderOf(entry.original)));
        // What an earlier attempt that was killed may have left beside it.
        LOADER_CHECK(removeLeftovers(m_files, entry.original));
        LOADER_CHECK(replaceFile(m_files, entry.original, bytes, entry.mode, true));
        LOADER_TRY(const std::string now, hashIfThere(m_files, entry.original));
        if (now != entry.sha256) return Error(Errc::F806, {"it is not what was written"}, entry.original);
        return {};
    }

    Status remove(const std::string& path) {
        LOADER_CHECK(m_files.remove(path));
        return m_files.syncFolder(folderOf(path));
    }

    Status mark() {
        if (m_outcome.fault()) return {};
        bool changed = false;
        for (MigrationRecord& record : m_records) {
            if (record.backup != m_outcome.backup || record.rolledBack) continue;
            record.rolledBack = true;
            changed = true;
        }
        return changed ? writeRecords(m_files, m_request.places.marker(), m_records) : Status();
    }

    FileOperations& m_files;
    const RollbackRequest& m_request;
    const std::function<void(const std::string&)>& m_log;
    CancelToken m_cancel;
    std::vector<MigrationRecord> m_records;
    MigrationRecord m_record;
    BackupManifest m_manifest;
    RollbackOutcome m_outcome;
};

}  // namespace

std::optional<Error> RollbackOutcome::fault() const {
    for (const RollbackLine& line : lines)
        if (line.fault) return line.fault;
    return std::nullopt;
}

Result<RollbackOutcome> rollBack(FileOperations& files, const RollbackRequest& request,
                                 const std::function<void(const std::string&)>& log, CancelToken cancel) {
    LOADER_TRY(const FileFacts data, files.facts(request.places.dataFolder));
    if (data.kind == FileKind::Missing) return Error(Errc::C508);
    if (request.dryRun) return Run(files, request, log, cancel).execute();
    // Before the lock is taken here: it takes the same one.
    LOADER_TRY(const Recovered recovered, recoverMigration(files, request.places, request.patience));
    if (recovered == Recovered::Finished && log) log("an interrupted migration was finished");
    LOADER_TRY(const auto lock, files.lock(request.places.lock(), request.patience));
    LOADER_TRY(const FileFacts folder, files.facts(folderOf(request.places.config)));
    if (folder.kind == FileKind::Missing) return Run(files, request, log, cancel).execute();
    LOADER_TRY(const auto settings, files.lock(request.places.configLock(), request.patience));
    return Run(files, request, log, cancel).execute();
}

}  // namespace loader::app
