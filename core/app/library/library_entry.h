// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the library shows: files that belong together as one entry, entries that are the same model in several
// types as one group. Value types, made by grouping.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/app/library/library_index.h"
#include "core/app/library/places.h"

namespace loader::app {

enum class FileState : std::uint8_t {
    Present,
    /// It was there once.
    Missing,
    /// Its drive or share does not answer.
    Unreachable,
};
/// "present", "missing", "unreachable".
const char* nameOf(FileState state);

/// A file with where it was found.
struct LibraryFile {
    IndexedFile file;
    FileState state = FileState::Present;
    /// Index of its place.
    std::size_t place = 0;
    /// Of a single file that was added with one.
    std::string projector;
};

enum class LibraryKind : std::uint8_t { Model, Projector, Adapter, Other };
/// "model", "projector", "adapter", "other".
const char* nameOf(LibraryKind kind);

struct LibraryPart {
    std::string path;
    std::uint64_t bytes = 0;
    FileState state = FileState::Present;
};

/// A model that can be loaded by one path: one file, or all parts of a split set.
struct LibraryEntry {
    std::string name;
    /// Of the file, or of its first part.
    std::string path;
    LibraryKind kind = LibraryKind::Model;
    PlaceKind place = PlaceKind::Folder;
    std::size_t placeIndex = 0;
    FileState state = FileState::Present;
    std::string repository;
    /// Promised by the store, of a single file.
    std::string sha256;
    /// In order of their numbers. Parts that are nowhere are not here.
    std::vector<LibraryPart> parts;
    /// Of all parts that are there.
    std::uint64_t bytes = 0;
    /// Of all parts together; empty where there is a fault.
    protocol::IndexFacts facts;
    /// The type of most values: "Q4_K".
    std::string type;
    /// Paths of projectors that go with it.
    std::vector<std::string> projectors;
    /// Why it cannot be loaded: D310 missing, C518 unreachable, S301 a part is missing, what is wrong with
    /// the header.
    std::optional<Error> fault;
    std::size_t group = 0;
};

/// One model in one or more types.
struct LibraryGroup {
    std::string name;
    /// Indices of entries, in the order in which auto would take them.
    std::vector<std::size_t> entries;
    std::uint64_t bytes = 0;
};

/// A place as it was found.
struct PlaceState {
    LibraryPlace place;
    FileState state = FileState::Present;
    /// What could not be looked at there.
    std::vector<Error> notes;
    std::size_t files = 0;
};

struct LibrarySnapshot {
    /// By place, then by path.
    std::vector<LibraryEntry> entries;
    std::vector<LibraryGroup> groups;
    std::vector<PlaceState> places;
    /// Of the library itself: a damaged index, a book of a newer version.
    std::vector<Error> notes;
    /// Headers that were read, and files that were taken as they are in the index.
    std::size_t read = 0;
    std::size_t unchanged = 0;
};

}  // namespace loader::app
