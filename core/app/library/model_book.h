// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the library must never forget: single files that were added, and which files this program made itself,
// the only ones that it deletes without a second yes. A small JSON file beside the index, written as a whole;
// the index can be thrown away, this cannot. Layout: docs/library.md.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/app/library/file_identity.h"

namespace loader::app {

struct AddedModel {
    /// Absolute.
    std::string path;
    std::string name;
    std::string projector;
    std::string sha256;
};

/// A file of our own making, as it was when it was made.
struct MadeFile {
    std::string path;
    FileIdentity identity;
};

struct BookPages {
    std::vector<AddedModel> models;
    std::vector<MadeFile> made;
};

/// @thread confined to one thread; several programs may use one file
class ModelBook {
public:
    static constexpr int kSchema = 1;
    /// In the data folder.
    static constexpr const char* kFileName = "models.json";

    explicit ModelBook(std::string path) : m_path(std::move(path)) {}

    /// A file that cannot be read is set aside, never overwritten, and the pages are empty; note() says so.
    /// @errors F804, F805
    Result<BookPages> read();
    /// Reads, changes, writes, while no other program does. @errors C503 written by a newer version, C506,
    /// F804, F806, what `change` returns
    Status change(const std::function<Status(BookPages&)>& change);
    /// D301 set aside, C503 newer.
    const std::optional<Error>& note() const { return m_note; }

private:
    Result<BookPages> parse(const std::string& text);
    Status write(const BookPages& pages) const;
    void setAside();

    std::string m_path;
    std::optional<Error> m_note;
    bool m_newer = false;
};

}  // namespace loader::app
