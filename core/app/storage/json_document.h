// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A JSON object on disk that is never lost: replaced whole, five earlier generations beside it (name.1 is the
// newest), a damaged one set aside as name.broken, one of a newer version only read. What another instance
// wrote meanwhile is kept: only changed keys are written. Rationale: docs/adr/0021-settings-as-a-list.md.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/app/storage/file_operations.h"
#include "core/app/storage/json_text.h"

namespace loader::app {

/// Names of nested objects, outermost first.
using JsonPath = std::vector<std::string>;

/// Null where there is no such value.
const Json* findIn(const Json& object, const JsonPath& path);
/// Makes the objects on the way; what stands in it and is none is replaced.
void setIn(Json& object, const JsonPath& path, Json value);
/// Also removes objects that this empties. @return whether there was something
bool eraseIn(Json& object, const JsonPath& path);

/// From one schema to the next.
struct MigrationStep {
    /// Makes a document of this schema into one of the next; "schema" itself is counted by the caller.
    int from = 0;
    std::function<Status(Json&)> apply;
};

struct DocumentRules {
    /// What this program writes, and the newest that it understands.
    int schema = 1;
    /// In order of from; one for each schema before the present one.
    std::vector<MigrationStep> steps;
    /// How long another instance may write.
    std::chrono::milliseconds patience{5000};
};

enum class DocumentState : std::uint8_t {
    Missing,
    Good,
    /// An object without "schema": of another program or an older one. Not touched.
    Legacy,
    /// Only read.
    Newer,
    /// The file was damaged: what counts is the newest good generation, or nothing.
    Recovered,
    /// It is there and cannot be read (permissions, no regular file, the disk). Not touched.
    Unreadable,
};

/// @thread confined to one thread
class JsonDocument {
public:
    static constexpr int kGenerations = 5;

    /// Reads it. Never fails: notices() says what was wrong. A damaged file is set aside here.
    /// @param lockPath held while something is written; several documents may share one
    JsonDocument(FileOperations& files, std::string path, std::string lockPath, DocumentRules rules);

    DocumentState state() const { return m_state; }
    const std::string& path() const { return m_path; }
    /// As on disk when it was read, with the changes since; empty where there is nothing to go by.
    const Json& value() const { return m_value; }
    /// What the user should hear: C501, C503, C519, F804, F805.
    const std::vector<Error>& notices() const { return m_notices; }
    /// Keys that stand twice in the file; the last one counts.
    const std::vector<std::string>& repeated() const { return m_repeated; }
    /// "UTF-8" as a rule; see decodedText().
    const std::string& encoding() const { return m_encoding; }

    void set(JsonPath path, Json value);
    void erase(JsonPath path);
    bool changed() const { return !m_changes.empty(); }
    /// Forgets changes and reads again.
    void reload();
    /// A legacy file that was backed up may be replaced by save().
    void allowReplacingLegacy() { m_mayReplaceLegacy = true; }

    /// Writes what was changed; nothing where that is nothing. After a failure the changes are still pending.
    /// @errors C503, C506, C502 it would be too large to be read, X005 a legacy file, F806; F804, F805, C512
    ///         where the file cannot be read
    Status save();
    /// For a caller that holds the lock.
    Status saveHolding(const HeldLock& lock);
    /// Makes an earlier generation the present one, which becomes the newest generation. Forgets changes.
    /// @errors F802 there is none of this number, C501, as save()
    Status restoreGeneration(int number);

private:
    struct Change {
        JsonPath path;
        std::optional<Json> value;
    };
    /// What a file turned out to be.
    struct Reading {
        DocumentState state = DocumentState::Missing;
        std::string bytes;
        Json value = Json::object();
        std::vector<std::string> repeated;
        std::string encoding = "UTF-8";
        std::vector<Error> faults;
        /// Its content is at fault, not the way to it.
        bool damaged = false;
    };

    Reading readFrom(const std::string& path) const;
    void understand(Reading& reading, const std::string& path) const;
    Status bringUpToDate(Json& document, int schema) const;
    void take(Reading reading);
    /// The newest generation that can be used.
    Reading recover() const;
    Result<std::string> setAside(const Reading& damaged);
    Result<std::string> settle(const Reading& damaged, const Reading& recovered);
    Result<Reading> presentForWriting();
    Status rotate(const std::string& present);
    std::string generation(int number) const { return m_path + "." + std::to_string(number); }

    FileOperations& m_files;
    std::string m_path;
    std::string m_lockPath;
    DocumentRules m_rules;
    DocumentState m_state = DocumentState::Missing;
    Json m_value = Json::object();
    std::vector<Error> m_notices;
    std::vector<std::string> m_repeated;
    std::string m_encoding;
    std::vector<Change> m_changes;
    bool m_mayReplaceLegacy = false;
};

}  // namespace loader::app
