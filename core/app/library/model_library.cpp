// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/model_library.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "core/app/library/file_names.h"
#include "core/app/library/grouping.h"
#include "core/app/library/stores.h"
#include "core/app/storage/utf8_path.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndexFile = "library.sqlite";
constexpr const char* kGuide = "guide";
/// Headers that are read before they are kept: whoever is stopped begins again behind them.
constexpr std::size_t kFilesAtOnce = 512;

using InodeKey = std::pair<std::uint64_t, std::uint64_t>;

InodeKey inodeOf(const FileIdentity& identity) {
    return {identity.device, identity.inode};
}

bool isUnder(const std::string& path, const std::string& folder) {
    if (path.size() <= folder.size() || path.compare(0, folder.size(), folder) != 0) return false;
    return folder.back() == '/' || folder.back() == '\\' || path[folder.size()] == '/' ||
           path[folder.size()] == '\\';
}

std::string absolute(const std::string& path) {
    std::error_code fault;
    const fs::path whole = fs::absolute(utf8Path(path), fault).lexically_normal();
    std::string text = fault ? path : nativeText(whole);
    while (text.size() > 1 && (text.back() == '/' || text.back() == '\\') && text[text.size() - 2] != ':')
        text.pop_back();
    return text;
}

/// What could be ORG/NAME or ORG/NAME:TYPE, and no path that somebody means.
bool looksLikeRepository(const std::string& model) {
    const std::size_t slash = model.find('/');
    if (slash == std::string::npos || slash == 0 || slash != model.rfind('/')) return false;
    const bool special =
        model.front() == '.' || model.front() == '~' || model.find('\\') != std::string::npos;
    return !special && !endsWithoutCase(model, ".gguf");
}

}  // namespace

/// What one refresh works with.
struct ModelLibrary::Pass {
    std::vector<LibraryPlace> places;
    std::vector<PlaceScan> scans;
    /// What will be listed.
    std::vector<LibraryFile> files;
    /// Found, and not known as they are now: index of `files`.
    std::vector<std::size_t> pending;
    std::vector<IndexedFile> changed;
    std::vector<std::string> removed;
    std::vector<Error> notes;
    std::set<std::string> listed;
    std::set<InodeKey> inodes;
    std::size_t unchanged = 0;
    bool again = false;
};

ModelLibrary::ModelLibrary(LibraryOptions options)
    : m_options(std::move(options)),
      m_book(m_options.dataFolder.empty() ? std::string()
                                          : m_options.dataFolder + "/" + ModelBook::kFileName),
      m_scanner(m_options.walk, m_options.patience) {}

ModelLibrary::~ModelLibrary() = default;

LibraryIndex& ModelLibrary::index() {
    if (!m_index) {
        const std::string& folder = m_options.dataFolder;
        m_index = LibraryIndex::open(folder.empty() ? std::string() : folder + "/" + kIndexFile,
                                     m_options.applicationVersion);
    }
    if (!m_loaded) {
        m_loaded = true;
        for (IndexedFile& file : m_index->load())
            m_files.insert_or_assign(file.path, std::move(file));
    }
    return *m_index;
}

Result<std::vector<LibraryPlace>> ModelLibrary::places() {
    std::vector<LibraryPlace> all = m_options.places;
    if (m_options.dataFolder.empty()) return all;
    LOADER_TRY(const BookPages pages, m_book.read());
    const auto cache =
        std::find_if(all.begin(), all.end(), [](const LibraryPlace& place) { return isCache(place.kind); });
    std::vector<LibraryPlace> added;
    for (const AddedModel& model : pages.models)
        added.push_back({PlaceKind::Single, model.path, model.name, model.projector, model.sha256, false});
    // What the user chose comes before what other programs keep.
    all.insert(cache, added.begin(), added.end());
    return all;
}

Result<const LibrarySnapshot*> ModelLibrary::refresh(const ReadProgress& progress, CancelToken cancel,
                                                     bool again) {
    Pass pass;
    pass.again = again;
    auto places = this->places();
    if (places.ok()) {
        pass.places = std::move(places).value();
    } else {
        pass.places = m_options.places;
        pass.notes.push_back(std::move(places).error());
    }
    if (m_book.note()) pass.notes.push_back(*m_book.note());
    index();
    auto known = std::make_shared<KnownFiles>();
    for (const auto& [path, file] : m_files)
        known->emplace(path, file.identity);
    LOADER_TRY(pass.scans, m_scanner.scan(pass.places, known, cancel));
    takeFound(pass);
    placeRows(pass);
    const std::size_t read = pass.pending.size();
    LOADER_CHECK(readPending(pass, progress, cancel));
    keep(pass);
    if (index().note()) pass.notes.push_back(*index().note());
    arrange(pass);
    m_snapshot.read = read;
    m_fresh = true;
    return &m_snapshot;
}

/// Every file once, under the first name by which it was found; what a store says of it is taken from all.
void ModelLibrary::takeFound(Pass& pass) {
    std::map<InodeKey, std::size_t> first;
    std::map<InodeKey, const IndexedFile*> known;
    for (const auto& [path, file] : m_files)
        known.emplace(inodeOf(file.identity), &file);
    for (std::size_t place = 0; place < pass.places.size(); ++place) {
        for (FoundFile& found : pass.scans[place].found.files) {
            const auto [at, fresh] = first.try_emplace(inodeOf(found.identity), pass.files.size());
            if (!fresh) {
                LibraryFile& same = pass.files[at->second];
                if (same.file.name.empty()) same.file.name = found.name;
                if (same.file.repository.empty()) same.file.repository = found.repository;
                if (same.file.sha256.empty()) same.file.sha256 = found.sha256;
                if (same.projector.empty()) same.projector = pass.places[place].projector;
                continue;
            }
            LibraryFile file;
            file.place = place;
            file.projector = pass.places[place].projector;
            file.file.path = found.path;
            file.file.identity = found.identity;
            file.file.name = std::move(found.name);
            file.file.repository = std::move(found.repository);
            file.file.sha256 = std::move(found.sha256);
            pass.files.push_back(std::move(file));
        }
    }
    for (std::size_t i = 0; i < pass.files.size(); ++i) {
        IndexedFile& file = pass.files[i].file;
        pass.listed.insert(file.path);
        pass.inodes.insert(inodeOf(file.identity));
        const auto row = m_files.find(file.path);
        const IndexedFile* same =
            row != m_files.end() && row->second.identity == file.identity ? &row->second : nullptr;
        const auto moved = known.find(inodeOf(file.identity));
        if (!same && moved != known.end() && moved->second->identity.sameContent(file.identity))
            same = moved->second;
        if (!same || pass.again) {
            pass.pending.push_back(i);
            continue;
        }
        ++pass.unchanged;
        file.facts = same->facts;
        file.fault = same->fault;
        const bool asKept = row != m_files.end() && row->second.identity == file.identity &&
                            row->second.name == file.name && row->second.repository == file.repository &&
                            row->second.sha256 == file.sha256;
        if (!asKept) pass.changed.push_back(file);
    }
}

/// Rows of files that were not found: missing, unreachable, or nobody's any more.
void ModelLibrary::placeRows(Pass& pass) {
    for (const auto& [path, row] : m_files) {
        if (pass.listed.contains(path)) continue;
        std::size_t place = pass.places.size();
        for (std::size_t i = 0; i < pass.places.size(); ++i) {
            const std::string& root = pass.places[i].path;
            const bool inside = path == root || isUnder(path, root);
            if (inside && (place == pass.places.size() || root.size() > pass.places[place].path.size()))
                place = i;
        }
        const bool ours = place < pass.places.size();
        const bool unreachable = ours && pass.scans[place].unreachable.has_value();
        // A file that is still there was left out on purpose; one that was found elsewhere has moved.
        const bool moved = pass.inodes.contains(inodeOf(row.identity));
        const bool gone =
            ours && !unreachable && !moved && !isCache(pass.places[place].kind) && !identify(path).ok();
        if (!unreachable && !gone) {
            pass.removed.push_back(path);
            continue;
        }
        LibraryFile file;
        file.file = row;
        file.place = place;
        file.state = unreachable ? FileState::Unreachable : FileState::Missing;
        pass.files.push_back(std::move(file));
    }
    // Single files that were never seen.
    for (std::size_t i = 0; i < pass.places.size(); ++i) {
        const LibraryPlace& place = pass.places[i];
        const bool absent = pass.scans[i].found.missing || pass.scans[i].unreachable;
        if (place.kind != PlaceKind::Single || !absent || m_files.contains(place.path)) continue;
        LibraryFile file;
        file.file.path = place.path;
        file.file.name = place.name;
        file.place = i;
        file.state = pass.scans[i].unreachable ? FileState::Unreachable : FileState::Missing;
        pass.files.push_back(std::move(file));
    }
}

Status ModelLibrary::readPending(Pass& pass, const ReadProgress& progress, CancelToken cancel) {
    const std::size_t total = pass.pending.size();
    for (std::size_t begin = 0; begin < total; begin += kFilesAtOnce) {
        const std::size_t count = std::min(kFilesAtOnce, total - begin);
        std::vector<FoundFile> wanted;
        for (std::size_t i = begin; i < begin + count; ++i) {
            const IndexedFile& file = pass.files[pass.pending[i]].file;
            wanted.push_back({file.path, file.identity, {}, {}, {}});
        }
        const ReadProgress inner = [&](std::uint64_t done, std::uint64_t) {
            if (progress) progress(begin + done, total);
        };
        auto answers = readHeaders(wanted, m_options.worker, inner, cancel);
        if (!answers.ok() && answers.error().code() == Errc::X002) return answers.error();
        if (!answers.ok()) pass.notes.push_back(answers.error());
        for (std::size_t i = 0; i < count; ++i) {
            IndexedFile& file = pass.files[pass.pending[begin + i]].file;
            HeaderAnswer failed;
            if (!answers.ok()) {
                failed.fault = answers.error();
                failed.identity = file.identity;
            }
            HeaderAnswer& answer = answers.ok() ? (*answers)[i] : failed;
            file.identity = answer.identity;
            file.facts = std::move(answer.facts);
            if (answer.fault) file.fault = {*answer.fault};
            if (answer.lasting)
                pass.changed.push_back(file);
            else if (m_files.contains(file.path))
                pass.removed.push_back(file.path);
        }
        keep(pass);
        if (!answers.ok()) break;
    }
    return {};
}

/// What was learnt goes into the index, and into what the next refresh compares with.
void ModelLibrary::keep(Pass& pass) {
    auto kept = index().change(pass.changed, pass.removed);
    if (!kept.ok() && pass.notes.empty()) pass.notes.push_back(std::move(kept).error());
    for (const std::string& path : pass.removed)
        m_files.erase(path);
    for (IndexedFile& file : pass.changed)
        m_files.insert_or_assign(file.path, file);
    pass.changed.clear();
    pass.removed.clear();
}

void ModelLibrary::arrange(Pass& pass) {
    std::sort(pass.files.begin(), pass.files.end(), [](const LibraryFile& a, const LibraryFile& b) {
        return a.place != b.place ? a.place < b.place : a.file.path < b.file.path;
    });
    m_snapshot = {};
    m_snapshot.entries = entriesOf(pass.files, pass.places);
    m_snapshot.groups = groupsOf(m_snapshot.entries);
    m_snapshot.notes = std::move(pass.notes);
    m_snapshot.unchanged = pass.unchanged;
    for (std::size_t i = 0; i < pass.places.size(); ++i) {
        PlaceState state;
        state.place = pass.places[i];
        state.notes = std::move(pass.scans[i].found.notes);
        state.files = static_cast<std::size_t>(std::count_if(
            pass.files.begin(), pass.files.end(), [i](const LibraryFile& file) { return file.place == i; }));
        if (pass.scans[i].found.missing) state.state = FileState::Missing;
        if (pass.scans[i].unreachable) {
            state.state = FileState::Unreachable;
            state.notes.push_back(*pass.scans[i].unreachable);
        }
        m_snapshot.places.push_back(std::move(state));
    }
    sortGroups(m_snapshot, m_options.rules);
}

Result<LibraryEntry> ModelLibrary::find(const std::string& model, CancelToken cancel) {
    if (!m_fresh) {
        LOADER_TRY(const LibrarySnapshot* fresh, refresh({}, cancel));
        static_cast<void>(fresh);
    }
    const std::string path = absolute(model);
    for (const LibraryEntry& entry : m_snapshot.entries) {
        if (entry.path == model || entry.path == path) return entry;
    }
    LOADER_TRY(const std::size_t found, chooseEntry(m_snapshot, model, m_options.rules));
    return m_snapshot.entries[found];
}

Result<std::string> ModelLibrary::resolve(const std::string& model, CancelToken cancel) {
    if (model == kGuide) {
        for (const LibraryPlace& place : m_options.places) {
            if (place.kind != PlaceKind::BuiltIn) continue;
            if (identify(place.path).ok()) return place.path;
            return Error(Errc::F802, {}, "the built-in model, " + place.path);
        }
        return Error(Errc::F802, {}, "the built-in model");
    }
    const bool hasSlash = model.find('/') != std::string::npos || model.find('\\') != std::string::npos;
    if (model != "auto" && ((hasSlash && !looksLikeRepository(model)) || identify(model).ok())) return model;
    auto entry = find(model, cancel);
    if (entry.ok()) {
        if (entry->state != FileState::Present && entry->fault) return *entry->fault;
        return entry->path;
    }
    // Whoever opens it says what is wrong with the path.
    if (hasSlash && entry.error().code() == Errc::F802) return model;
    return entry.error();
}

Status ModelLibrary::add(const AddedModel& model) {
    const std::string path = absolute(model.path);
    LOADER_TRY(const FileIdentity identity, identify(path));
    if (identity.kind == FileIdentity::Kind::Folder) return Error(Errc::F803, {"a folder"}, path);
    if (identity.kind != FileIdentity::Kind::File) return Error(Errc::F803, {"a device or a pipe"}, path);
    if (!beginsAsModel(path)) return Error(Errc::GG002, {}, path);
    return addUnseen({&model, 1});
}

Status ModelLibrary::addUnseen(std::span<const AddedModel> models) {
    m_fresh = false;
    return m_book.change([&](BookPages& pages) -> Status {
        for (const AddedModel& model : models) {
            AddedModel added = model;
            added.path = absolute(model.path);
            const auto same = [&](const AddedModel& old) { return old.path == added.path; };
            const auto old = std::find_if(pages.models.begin(), pages.models.end(), same);
            if (old == pages.models.end())
                pages.models.push_back(std::move(added));
            else
                *old = std::move(added);
        }
        return {};
    });
}

Status ModelLibrary::forget(const std::string& path) {
    const std::string whole = absolute(path);
    std::size_t removed = 0;
    LOADER_CHECK(m_book.change([&](BookPages& pages) -> Status {
        removed += std::erase_if(pages.models, [&](const AddedModel& old) { return old.path == whole; });
        return {};
    }));
    index();
    const bool absent = m_files.contains(whole) && !identify(whole).ok();
    if (absent) {
        LOADER_CHECK(index().change({}, {&whole, 1}));
        m_files.erase(whole);
        ++removed;
    }
    m_fresh = false;
    if (removed == 0) return Error(Errc::D304, {"file or folder that was added to the library"}, whole);
    return {};
}

Status ModelLibrary::markMade(const std::string& path) {
    MadeFile made{absolute(path), {}};
    LOADER_TRY(made.identity, identify(made.path));
    if (made.identity.kind != FileIdentity::Kind::File) return Error(Errc::F803, {"no file"}, made.path);
    return m_book.change([&](BookPages& pages) -> Status {
        std::erase_if(pages.made, [&](const MadeFile& old) { return old.path == made.path; });
        pages.made.push_back(made);
        return {};
    });
}

Status ModelLibrary::deleteFiles(const LibraryEntry& entry, Consent consent) {
    if (entry.place == PlaceKind::BuiltIn) return Error(Errc::D311, {}, entry.path);
    std::vector<std::string> paths;
    LOADER_TRY(const BookPages pages, m_book.read());
    for (const LibraryPart& part : entry.parts) {
        const auto identity = identify(part.path);
        if (!identity.ok() && identity.error().code() == Errc::F802) continue;
        if (!identity.ok()) return identity.error();
        const bool ours = std::any_of(pages.made.begin(), pages.made.end(), [&](const MadeFile& made) {
            return made.path == part.path && made.identity.sameContent(*identity);
        });
        if (!ours && consent != Consent::Anything) return Error(Errc::D311, {}, part.path);
        paths.push_back(part.path);
    }
    if (paths.empty()) return Error(Errc::F802, {}, entry.path);
    m_fresh = false;
    for (const std::string& path : paths) {
        std::error_code fault;
        fs::remove(utf8Path(path), fault);
        if (fault) return Error(Errc::F806, {fault.message()}, path);
    }
    index();
    LOADER_CHECK(index().change({}, paths));
    for (const std::string& path : paths)
        m_files.erase(path);
    return m_book.change([&](BookPages& now) -> Status {
        for (const std::string& path : paths) {
            std::erase_if(now.made, [&](const MadeFile& made) { return made.path == path; });
            std::erase_if(now.models, [&](const AddedModel& model) { return model.path == path; });
        }
        return {};
    });
}

}  // namespace loader::app
