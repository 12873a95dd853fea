// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/library_index.h"

#include <sqlite3.h>

#include <cstring>
#include <filesystem>

#include "core/app/library/stores.h"
#include "core/app/storage/utf8_path.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;

constexpr int kApplication = 0x4747'4C49;  // "GGLI"
constexpr int kPatienceMs = 2000;

/// What of a file stands in one column: read back like a message of a stranger.
struct Record {
    std::string name;
    std::string repository;
    std::string sha256;
    protocol::IndexFacts facts;
    std::vector<Error> fault;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.name);
        visit(self.repository);
        visit(self.sha256);
        visit(self.facts);
        visit(self.fault);
    }
};

/// FNV-1a: damage, not malice, is what it finds.
std::uint64_t hashOf(std::uint64_t hash, const void* data, std::size_t bytes) {
    const auto* at = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < bytes; ++i)
        hash = (hash ^ at[i]) * 0x100000001B3ull;
    return hash;
}

std::uint64_t checkOf(const std::string& path, const FileIdentity& identity,
                      std::span<const std::byte> record) {
    const std::uint64_t numbers[] = {identity.bytes, static_cast<std::uint64_t>(identity.modified),
                                     static_cast<std::uint64_t>(identity.changed), identity.device,
                                     identity.inode};
    std::uint64_t hash = hashOf(0xCBF29CE484222325ull, path.data(), path.size());
    hash = hashOf(hash, numbers, sizeof numbers);
    return hashOf(hash, record.data(), record.size());
}

}  // namespace

/// Finalised on every way out. @thread that of its index
class LibraryIndex::Statement {
public:
    Statement(sqlite3* database, const char* command) {
        if (sqlite3_prepare_v2(database, command, -1, &m_statement, nullptr) != SQLITE_OK)
            m_statement = nullptr;
    }
    ~Statement() { sqlite3_finalize(m_statement); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    explicit operator bool() const { return m_statement != nullptr; }
    void bind(int at, std::uint64_t value) {
        sqlite3_bind_int64(m_statement, at, static_cast<sqlite3_int64>(value));
    }
    /// Not as text: a path may be no UTF-8.
    void bind(int at, const void* data, std::size_t bytes) {
        sqlite3_bind_blob64(m_statement, at, data, bytes, SQLITE_TRANSIENT);
    }
    bool row() { return sqlite3_step(m_statement) == SQLITE_ROW; }
    bool run() {
        const bool done = sqlite3_step(m_statement) == SQLITE_DONE;
        sqlite3_reset(m_statement);
        return done;
    }
    std::uint64_t number(int column) const {
        return static_cast<std::uint64_t>(sqlite3_column_int64(m_statement, column));
    }
    std::span<const std::byte> bytes(int column) const {
        const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(m_statement, column));
        const int count = sqlite3_column_bytes(m_statement, column);
        return {data, data ? static_cast<std::size_t>(count) : 0};
    }

private:
    sqlite3_stmt* m_statement = nullptr;
};

LibraryIndex::LibraryIndex(std::string path, std::string reader)
    : m_path(std::move(path)), m_reader(std::move(reader)) {}

LibraryIndex::~LibraryIndex() {
    close();
}

void LibraryIndex::close() {
    sqlite3_close(m_database);
    m_database = nullptr;
}

bool LibraryIndex::damaged() const {
    if (!m_database) return false;
    const int code = sqlite3_errcode(m_database) & 0xFF;
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_FORMAT;
}

std::string LibraryIndex::words() const {
    return m_database ? sqlite3_errmsg(m_database) : "it cannot be opened";
}

bool LibraryIndex::execute(const char* command) {
    return sqlite3_exec(m_database, command, nullptr, nullptr, nullptr) == SQLITE_OK;
}

bool LibraryIndex::connect(const std::string& path) {
    close();
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    if (sqlite3_open_v2(path.c_str(), &m_database, flags, nullptr) != SQLITE_OK) return false;
    sqlite3_busy_timeout(m_database, kPatienceMs);
    // What is lost with the power is read again: no write has to wait for the disk.
    return execute("PRAGMA journal_mode = WAL") && execute("PRAGMA synchronous = NORMAL") && prepareTables();
}

bool LibraryIndex::prepareTables() {
    int schema = 0;
    int application = 0;
    std::string reader;
    {
        Statement version(m_database, "PRAGMA user_version");
        if (!version || !version.row()) return false;
        schema = static_cast<int>(version.number(0));
        Statement id(m_database, "PRAGMA application_id");
        if (!id || !id.row()) return false;
        application = static_cast<int>(id.number(0));
    }
    if (schema == kSchema && application == kApplication) {
        Statement read(m_database, "SELECT value FROM facts WHERE key = 'reader'");
        if (!read) return false;
        if (read.row()) {
            const auto bytes = read.bytes(0);
            reader.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        }
        if (damaged()) return false;
        if (reader == m_reader) return true;
    }
    if (!execute("BEGIN IMMEDIATE")) return false;
    const std::string pragmas = "PRAGMA user_version = " + std::to_string(kSchema) +
                                "; PRAGMA application_id = " + std::to_string(kApplication);
    bool made = execute("DROP TABLE IF EXISTS files") && execute("DROP TABLE IF EXISTS facts") &&
                execute(
                    "CREATE TABLE files (path BLOB PRIMARY KEY, bytes INTEGER, modified INTEGER,"
                    " changed INTEGER, device INTEGER, inode INTEGER, record BLOB, checksum INTEGER)"
                    " WITHOUT ROWID") &&
                execute("CREATE TABLE facts (key TEXT PRIMARY KEY, value BLOB)") && execute(pragmas.c_str());
    if (made) {
        Statement write(m_database, "INSERT INTO facts VALUES ('reader', ?1)");
        if (write) write.bind(1, m_reader.data(), m_reader.size());
        made = write && write.run();
    }
    if (made) return execute("COMMIT");
    execute("ROLLBACK");
    return false;
}

std::unique_ptr<LibraryIndex> LibraryIndex::open(const std::string& path, const std::string& reader) {
    std::unique_ptr<LibraryIndex> index(new LibraryIndex(path, reader));
    if (path.empty()) {
        if (!index->connect(":memory:")) index->m_note = Error(Errc::D303, {index->words()});
        return index;
    }
    std::error_code fault;
    fs::create_directories(utf8Path(path).parent_path(), fault);
    if (index->connect(path)) return index;
    index->startAgain(index->damaged() ? Error(Errc::D301, {index->words()}, path)
                                       : Error(Errc::D303, {index->words()}, path));
    return index;
}

void LibraryIndex::startAgain(const Error& note) {
    m_note = note;
    close();
    if (note.code() == Errc::D301) {
        std::error_code fault;
        for (const char* suffix : {"", "-wal", "-shm"})
            fs::remove(utf8Path(m_path + suffix), fault);
        if (connect(m_path)) return;
    }
    // Without a file everything still works; headers are read again next time.
    if (!connect(":memory:")) close();
}

std::vector<IndexedFile> LibraryIndex::load() {
    std::vector<IndexedFile> files;
    if (!m_database) return files;
    bool whole = true;
    {
        Statement read(m_database,
                       "SELECT path, bytes, modified, changed, device, inode, record, checksum FROM files"
                       " ORDER BY path");
        while (read && read.row()) {
            IndexedFile file;
            const auto path = read.bytes(0);
            file.path.assign(reinterpret_cast<const char*>(path.data()), path.size());
            file.identity.kind = FileIdentity::Kind::File;
            file.identity.bytes = read.number(1);
            file.identity.modified = static_cast<std::int64_t>(read.number(2));
            file.identity.changed = static_cast<std::int64_t>(read.number(3));
            file.identity.device = read.number(4);
            file.identity.inode = read.number(5);
            const auto bytes = read.bytes(6);
            const bool unbroken = checkOf(file.path, file.identity, bytes) == read.number(7);
            auto record = unbroken ? protocol::decode<Record>(bytes) : std::nullopt;
            // A damaged tree may also give a row twice, or out of order.
            const bool inOrder = files.empty() || files.back().path < file.path;
            if (!record || record->fault.size() > 1 || !inOrder) {
                whole = false;
                continue;
            }
            file.name = std::move(record->name);
            file.repository = std::move(record->repository);
            file.sha256 = std::move(record->sha256);
            file.facts = std::move(record->facts);
            file.fault = std::move(record->fault);
            files.push_back(std::move(file));
        }
    }
    if (whole && !damaged()) return files;
    // What proved to be whole is kept; everything else is read again.
    startAgain(Error(Errc::D301, {damaged() ? words() : "rows of it are broken"}, m_path));
    const Status kept = change(files, {});
    if (!kept.ok()) m_note = kept.error();
    return files;
}

bool LibraryIndex::store(std::span<const IndexedFile> added, std::span<const std::string> removed) {
    Statement write(m_database, "INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    Statement remove(m_database, "DELETE FROM files WHERE path = ?1");
    if (!write || !remove) return false;
    for (const std::string& path : removed) {
        remove.bind(1, path.data(), path.size());
        if (!remove.run()) return false;
    }
    for (const IndexedFile& file : added) {
        const auto record =
            protocol::encode(Record{file.name, file.repository, file.sha256, file.facts, file.fault});
        write.bind(1, file.path.data(), file.path.size());
        write.bind(2, file.identity.bytes);
        write.bind(3, static_cast<std::uint64_t>(file.identity.modified));
        write.bind(4, static_cast<std::uint64_t>(file.identity.changed));
        write.bind(5, file.identity.device);
        write.bind(6, file.identity.inode);
        write.bind(7, record.data(), record.size());
        write.bind(8, checkOf(file.path, file.identity, record));
        if (!write.run()) return false;
    }
    return true;
}

Status LibraryIndex::change(std::span<const IndexedFile> added, std::span<const std::string> removed) {
    if (added.empty() && removed.empty()) return {};
    for (int attempt = 0; attempt < 2 && m_database; ++attempt) {
        if (execute("BEGIN IMMEDIATE")) {
            if (store(added, removed) && execute("COMMIT")) return {};
            const bool broken = damaged();
            const std::string reason = words();
            execute("ROLLBACK");
            if (!broken) return Error(Errc::D303, {reason}, m_path);
            startAgain(Error(Errc::D301, {reason}, m_path));
        } else if (damaged()) {
            startAgain(Error(Errc::D301, {words()}, m_path));
        } else {
            return Error(Errc::D303, {words()}, m_path);
        }
    }
    return Error(Errc::D303, {words()}, m_path);
}

}  // namespace loader::app
