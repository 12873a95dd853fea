// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/migration/migration.h"

#include <utility>

#include "core/app/storage/file_steps.h"

namespace loader::app {
namespace {

/// What is compared to tell whether anything is new: all but logs, and but the file in our own place, which
/// is ours afterwards whatever it was before.
std::vector<MigratedSource> sourcesOf(FileOperations& files, const std::vector<BackupItem>& items,
                                      const std::string& config) {
    std::vector<MigratedSource> sources;
    for (const BackupItem& item : items) {
        const bool source = item.role == BackupRole::Legacy || item.role == BackupRole::Store;
        if (!source || item.path == config) continue;
        auto hash = hashIfThere(files, item.path);
        // A file that cannot be read now counts as another one than the same file once it can be.
        sources.push_back({item.path, hash ? std::move(*hash) : std::string()});
    }
    return sources;
}

const MigrationRecord* lastOf(const std::vector<MigrationRecord>& records) {
    for (auto record = records.rbegin(); record != records.rend(); ++record)
        if (!record->rolledBack) return &*record;
    return nullptr;
}

Result<Recovered> recover(FileOperations& files, const MigrationPlaces& places) {
    LOADER_CHECK(removeUnfinishedBackups(files, places.backups()));
    LOADER_TRY(const FileFacts journal, files.facts(places.journal()));
    if (journal.kind == FileKind::Missing) return Recovered::Nothing;
    LOADER_TRY(auto started, readRecords(files, places.journal()));
    LOADER_TRY(const std::string present, hashIfThere(files, places.config));
    Recovered recovered = Recovered::Undone;
    if (!started.empty() && present != started.front().configBefore) {
        recovered = Recovered::Finished;
        started.front().configAfter = present;
        LOADER_TRY(auto records, readRecords(files, places.marker()));
        const MigrationRecord* last = lastOf(records);
        if (!last || last->backup != started.front().backup) {
            records.push_back(started.front());
            LOADER_CHECK(writeRecords(files, places.marker(), records));
        }
    }
    LOADER_CHECK(files.remove(places.journal()));
    LOADER_CHECK(files.syncFolder(places.dataFolder));
    return recovered;
}

/// One run, with the lock held.
class Run {
public:
    Run(FileOperations& files, const MigrationRequest& request, const MigrationSteps& steps,
        CancelToken cancel)
        : m_files(files), m_request(request), m_steps(steps), m_cancel(cancel) {}

    Status execute(ImportRecorder& plan, MigrationOutcome& outcome) {
        LOADER_TRY(const Recovered recovered, recover(m_files, m_request.places));
        if (recovered == Recovered::Finished) say("an interrupted migration was finished");
        if (recovered == Recovered::Undone) say("an interrupted migration was undone");
        LOADER_TRY(m_records, readRecords(m_files, m_request.places.marker()));
        m_record.sources = sourcesOf(m_files, m_request.items, m_request.places.config);
        const MigrationRecord* last = lastOf(m_records);
        if (last && last->sources == m_record.sources) {
            outcome.backup = last->backup;
            return {};
        }
        LOADER_CHECK(backUp(plan));
        LOADER_CHECK(arrive(plan));
        outcome.changed = true;
        outcome.backup = m_record.backup;
        prove(outcome);
        return {};
    }

private:
    void say(const std::string& line) const {
        if (m_steps.log) m_steps.log(line);
    }

    Status backUp(ImportRecorder& plan) {
        const MigrationPlaces& places = m_request.places;
        BackupRequest wanted{places.backups(), m_request.id, {}, m_request.models};
        wanted.items.push_back({BackupRole::Settings, places.config});
        for (const BackupItem& item : m_request.items)
            if (item.path != places.config) wanted.items.push_back(item);
        LOADER_TRY(const BackupManifest manifest, makeBackup(m_files, wanted, m_cancel));
        m_record.backup = manifest.id;
        say("backup " + manifest.id + ": " + std::to_string(manifest.entries.size()) + " files, verified");
        bool changed = false;
        for (MigratedSource& source : m_record.sources) {
            const BackupEntry* entry = manifest.find(source.path);
            const std::string now = entry ? entry->sha256 : std::string();
            changed = changed || now != source.sha256;
            source.sha256 = now;
        }
        const BackupEntry* config = manifest.find(places.config);
        m_record.configBefore = config ? config->sha256 : std::string();
        if (!changed) return {};
        // The old program wrote while we read: once more, from what the backup has.
        say("a file changed while it was read; reading again");
        LOADER_TRY(plan, m_steps.plan());
        return {};
    }

    Status arrive(const ImportRecorder& plan) {
        const MigrationPlaces& places = m_request.places;
        LOADER_CHECK(m_cancel.check());
        LOADER_CHECK(writeRecords(m_files, places.journal(), {m_record}));
        Status arrived = m_steps.arrive(plan);
        if (!arrived) {
            say("failed: " + std::string(arrived.error().name()));
            ignoreErrorBecause("the failure above is what counts; the next run looks again",
                               recover(m_files, places));
            return arrived;
        }
        LOADER_TRY(m_record.configAfter, hashIfThere(m_files, places.config));
        m_records.push_back(m_record);
        LOADER_CHECK(writeRecords(m_files, places.marker(), m_records));
        LOADER_CHECK(m_files.remove(places.journal()));
        LOADER_CHECK(m_files.syncFolder(places.dataFolder));
        for (const ReportLine& line : plan.report().lines)
            say(std::string(nameOf(line.verdict)) + ": " + line.source.file + ": " + line.source.key +
                (line.target.empty() ? "" : " -> " + line.target));
        say("done: " + std::to_string(plan.settings().size()) + " settings, " +
            std::to_string(plan.models().size()) + " models, " + std::to_string(plan.measurements().size()) +
            " measurements");
        return {};
    }

    void prove(MigrationOutcome& outcome) const {
        if (!m_steps.testLoad) return;
        Status loaded = m_steps.testLoad();
        outcome.proven = loaded.ok();
        say(loaded ? "test load: succeeded" : "test load: failed with " + std::string(loaded.error().name()));
        if (!loaded) outcome.unproven = Error(Errc::C511, {loaded.error().message()}, loaded.error().place());
    }

    FileOperations& m_files;
    const MigrationRequest& m_request;
    const MigrationSteps& m_steps;
    CancelToken m_cancel;
    MigrationRecord m_record;
    std::vector<MigrationRecord> m_records;
};

}  // namespace

Result<MigrationOutcome> migrate(FileOperations& files, const MigrationRequest& request,
                                 const MigrationSteps& steps, CancelToken cancel) {
    LOADER_TRY(ImportRecorder plan, steps.plan());
    MigrationOutcome outcome;
    if (!request.dryRun) {
        LOADER_CHECK(makeFolders(files, request.places.dataFolder));
        LOADER_TRY(const auto lock, files.lock(request.places.lock(), request.patience));
        LOADER_CHECK(Run(files, request, steps, cancel).execute(plan, outcome));
    }
    outcome.report = plan.report();
    return outcome;
}

Result<Recovered> recoverMigration(FileOperations& files, const MigrationPlaces& places,
                                   std::chrono::milliseconds patience) {
    LOADER_TRY(const FileFacts data, files.facts(places.dataFolder));
    if (data.kind == FileKind::Missing) return Recovered::Nothing;
    LOADER_TRY(const auto lock, files.lock(places.lock(), patience));
    return recover(files, places);
}

Result<bool> isMigrated(FileOperations& files, const MigrationPlaces& places,
                        const std::vector<BackupItem>& items) {
    LOADER_TRY(const auto records, readRecords(files, places.marker()));
    const MigrationRecord* last = lastOf(records);
    return last && last->sources == sourcesOf(files, items, places.config);
}

}  // namespace loader::app
