// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The index of the library: what the headers of all model files said, so that an unchanged file is never read
// twice. It holds nothing that cannot be found out again; one that is damaged, or was written by another
// version, is thrown away and built anew. Layout: docs/library.md.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/app/library/file_identity.h"
#include "core/protocol/file_messages.h"

struct sqlite3;

namespace loader::app {

/// What is known of one file.
struct IndexedFile {
    std::string path;
    FileIdentity identity;
    std::string name;
    std::string repository;
    std::string sha256;
    protocol::IndexFacts facts;
    /// Why the header cannot be used: at most one, without the path.
    std::vector<Error> fault;
};

/// @thread confined to one thread; several programs may use one file
class LibraryIndex {
public:
    /// Of the tables; another one is no use.
    static constexpr int kSchema = 1;

    /// Never fails: where the file cannot be used, the index lives in memory, and note() says why.
    /// @param path empty for an index in memory
    /// @param reader who read the headers; what another version read is not believed
    static std::unique_ptr<LibraryIndex> open(const std::string& path, const std::string& reader);
    ~LibraryIndex();
    LibraryIndex(const LibraryIndex&) = delete;
    LibraryIndex& operator=(const LibraryIndex&) = delete;

    /// All rows that are whole, by path.
    std::vector<IndexedFile> load();
    /// Puts rows in and takes others out, all or none. @errors D303
    Status change(std::span<const IndexedFile> added, std::span<const std::string> removed);
    /// D301 it was damaged and was built anew, D303 it cannot be kept.
    const std::optional<Error>& note() const { return m_note; }

private:
    class Statement;
    explicit LibraryIndex(std::string path, std::string reader);
    bool connect(const std::string& path);
    bool prepareTables();
    bool execute(const char* command);
    void startAgain(const Error& note);
    bool store(std::span<const IndexedFile> added, std::span<const std::string> removed);
    void close();
    bool damaged() const;
    std::string words() const;

    std::string m_path;
    std::string m_reader;
    sqlite3* m_database = nullptr;
    std::optional<Error> m_note;
};

}  // namespace loader::app
