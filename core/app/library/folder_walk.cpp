// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/folder_walk.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/app/library/file_names.h"
#include "core/app/library/stores.h"
#include "core/app/storage/utf8_path.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;

/// Of a download that goes on, in the hub's cache.
constexpr std::string_view kUnfinished = ".incomplete";

class Walker {
public:
    Walker(const LibraryPlace& place, const KnownFiles& known, WalkState& state)
        : m_place(place), m_known(known), m_state(state) {}

    WalkResult walk() {
        const auto root = identify(m_place.path);
        step();
        if (!root.ok()) {
            m_result.missing = root.error().code() == Errc::F802;
            if (!m_result.missing) note(root.error());
            return std::move(m_result);
        }
        if (root->kind == FileIdentity::Kind::Folder && m_place.kind != PlaceKind::Single) {
            walkFolders();
        } else if (root->kind == FileIdentity::Kind::File) {
            FoundFile file{m_place.path, *root, m_place.name, {}, m_place.sha256};
            add(std::move(file));
        } else {
            note(Error(Errc::F803, {kindText(*root)}, m_place.path));
        }
        return std::move(m_result);
    }

private:
    struct Folder {
        fs::path path;
        std::size_t depth = 0;
        std::string repository;
    };

    static std::string kindText(const FileIdentity& identity) {
        return identity.kind == FileIdentity::Kind::Folder ? "a folder" : "a device or a pipe";
    }

    void step() { m_state.steps.fetch_add(1, std::memory_order_relaxed); }

    void note(Error error) {
        if (m_result.notes.size() < kMostNotes) m_result.notes.push_back(std::move(error));
    }

    bool full() {
        const bool over = m_entries >= kMostEntries || m_result.files.size() >= kMostFiles;
        if (over && !m_toldFull) {
            m_toldFull = true;
            note(Error(Errc::D305, {"folder", "it has too many files, and not all were looked at"},
                       m_place.path));
        }
        return over || m_state.stop.load(std::memory_order_relaxed);
    }

    void walkFolders() {
        m_open.push_back({utf8Path(m_place.path), 0, {}});
        while (!m_open.empty() && !full()) {
            const Folder folder = std::move(m_open.back());
            m_open.pop_back();
            look(folder);
        }
    }

    /// A folder is looked at once, by whatever links it is reached.
    void look(const Folder& folder) {
        const auto identity = identify(nativeText(folder.path));
        if (!identity.ok() || !m_seen.insert({identity->device, identity->inode}).second) return;
        const std::string repository = hubRepository(nativeText(folder.path.filename()));
        if (!repository.empty() && lookAtRepository(folder, repository)) return;
        if (isBlobStore(folder.path)) return lookAtStore(folder.path);
        std::vector<fs::path> folders;
        for (const fs::path& entry : entriesOf(folder.path))
            lookAtEntry(entry, folder, folders);
        for (auto next = folders.rbegin(); next != folders.rend(); ++next)
            m_open.push_back({*next, folder.depth + 1, folder.repository});
    }

    /// Blobs of the hub are reached through the names of their snapshots only.
    bool lookAtRepository(const Folder& folder, const std::string& repository) {
        const auto snapshots = hubSnapshots(folder.path);
        for (auto next = snapshots.rbegin(); next != snapshots.rend(); ++next)
            m_open.push_back({*next, folder.depth + 1, repository});
        return !snapshots.empty();
    }

    void lookAtStore(const fs::path& folder) {
        for (const StoredModel& model : blobStoreModels(folder, m_result.notes)) {
            step();
            const std::string path = nativeText(model.blob);
            const auto identity = identify(path);
            if (!identity.ok() || identity->kind != FileIdentity::Kind::File) continue;
            if (isModel(path, *identity)) add({path, *identity, model.name, {}, model.sha256});
        }
    }

    std::vector<fs::path> entriesOf(const fs::path& folder) {
        std::vector<fs::path> entries;
        std::error_code fault;
        fs::directory_iterator at(folder, fault);
        for (const fs::directory_iterator end; !fault && at != end && !full(); at.increment(fault)) {
            step();
            ++m_entries;
            entries.push_back(at->path());
        }
        if (fault) {
            const bool permission = fault == std::errc::permission_denied;
            note(permission ? Error(Errc::F804, {}, nativeText(folder))
                            : Error(Errc::F805, {fault.message()}, nativeText(folder)));
        }
        // The system's order is nobody's: what is found twice must be found under the same name every time.
        std::sort(entries.begin(), entries.end());
        return entries;
    }

    void lookAtEntry(const fs::path& entry, const Folder& folder, std::vector<fs::path>& folders) {
        step();
        const std::string path = nativeText(entry);
        if (full() || fileNameOf(path).rfind('.', 0) == 0) return;
        const auto identity = identify(path);
        if (!identity.ok()) {
            // A link to nowhere, or one that leads to itself, is no fault of the folder.
            if (identity.error().code() == Errc::F804) note(identity.error());
            return;
        }
        if (identity->kind == FileIdentity::Kind::Folder && folder.depth < kMostDepth)
            folders.push_back(entry);
        if (identity->kind != FileIdentity::Kind::File || !isModel(path, *identity)) return;
        std::string sha256 = folder.repository.empty() ? std::string() : hubSha256(entry);
        add({path, *identity, {}, folder.repository, std::move(sha256)});
    }

    bool isModel(const std::string& path, const FileIdentity& identity) const {
        if (endsWithoutCase(path, ".gguf")) return true;
        if (identity.bytes < kLeastModelBytes || endsWithoutCase(path, kUnfinished)) return false;
        const auto known = m_known.find(path);
        if (known != m_known.end() && known->second == identity) return true;
        return beginsAsModel(path);
    }

    void add(FoundFile file) {
        if (m_seenFiles.insert({file.identity.device, file.identity.inode}).second)
            m_result.files.push_back(std::move(file));
    }

    const LibraryPlace& m_place;
    const KnownFiles& m_known;
    WalkState& m_state;
    WalkResult m_result;
    std::vector<Folder> m_open;
    std::set<std::pair<std::uint64_t, std::uint64_t>> m_seen;
    std::set<std::pair<std::uint64_t, std::uint64_t>> m_seenFiles;
    std::uint64_t m_entries = 0;
    bool m_toldFull = false;
};

}  // namespace

WalkResult walkPlace(const LibraryPlace& place, const KnownFiles& known, WalkState& state) {
    return Walker(place, known, state).walk();
}

}  // namespace loader::app
