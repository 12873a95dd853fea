// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The library: which models there are, in any number of folders. It looks at folders itself and has headers
// read in sandboxed workers; what an unchanged file said is remembered in an index. Rules: docs/library.md.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/app/library/choice.h"
#include "core/app/library/header_reader.h"
#include "core/app/library/library_entry.h"
#include "core/app/library/model_book.h"
#include "core/app/library/place_scanner.h"

namespace loader::app {

struct LibraryOptions {
    /// Without what was added to the library itself.
    std::vector<LibraryPlace> places;
    /// Where index and book are; empty keeps both in memory only.
    std::string dataFolder;
    /// How workers are started that read headers.
    WorkerOptions worker;
    std::string applicationVersion;
    ChoiceRules rules;
    PlaceScanner::Walk walk = walkPlace;
    std::chrono::milliseconds patience = PlaceScanner::kPatience;
};

/// How a file is deleted.
enum class Consent : std::uint8_t {
    /// Only what this program made.
    OwnOnly,
    /// The user said yes twice.
    Anything,
};

/// @thread confined to one thread, which refresh() blocks; see place_scanner.h for how long at most
class ModelLibrary {
public:
    explicit ModelLibrary(LibraryOptions options);
    ~ModelLibrary();

    /// Looks at all places, and reads the headers of files that are new or changed.
    /// @param again reads all headers again
    /// @errors X002; a file, a place or an index that cannot be used is a note in the snapshot
    Result<const LibrarySnapshot*> refresh(const ReadProgress& progress, CancelToken cancel,
                                           bool again = false);
    /// As it was at the last refresh.
    const LibrarySnapshot& snapshot() const { return m_snapshot; }

    /// The entry of a name; refreshes first where nobody did. @errors as chooseEntry(), X002
    Result<LibraryEntry> find(const std::string& model, CancelToken cancel);
    /// A path to load: an existing file or anything with a slash that is no name of the library is taken as a
    /// path. @errors as find()
    Result<std::string> resolve(const std::string& model, CancelToken cancel);

    /// A single file; folders are the setting models.folders. @errors F802 … F805, GG002, C503, C506, F806
    Status add(const AddedModel& model);
    /// What another program knows, in one go: files that are not there are listed as missing.
    /// @errors C503, C506, F806
    Status addUnseen(std::span<const AddedModel> models);
    /// Forgets a file that was added, or one that is missing; touches none.
    /// @errors D304 it was not added and is not missing
    Status forget(const std::string& path);
    /// Remembers that this program made a file. @errors F802 … F805, C503, C506, F806
    Status markMade(const std::string& path);
    /// Deletes all parts of an entry. Files are looked at again first: one that was replaced since it was
    /// made is not ours. @errors D311 not all of them are ours, F802, F804, F806
    Status deleteFiles(const LibraryEntry& entry, Consent consent);

    const LibraryOptions& options() const { return m_options; }

private:
    struct Pass;
    Result<std::vector<LibraryPlace>> places();
    void placeRows(Pass& pass);
    void takeFound(Pass& pass);
    Status readPending(Pass& pass, const ReadProgress& progress, CancelToken cancel);
    void keep(Pass& pass);
    void arrange(Pass& pass);
    LibraryIndex& index();

    LibraryOptions m_options;
    ModelBook m_book;
    PlaceScanner m_scanner;
    std::unique_ptr<LibraryIndex> m_index;
    /// By path: what the index holds, and what was read since but is not worth keeping.
    std::map<std::string, IndexedFile> m_files;
    bool m_loaded = false;
    bool m_fresh = false;
    LibrarySnapshot m_snapshot;
};

}  // namespace loader::app
