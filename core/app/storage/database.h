// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// SQLite with Result: a connection, a prepared statement, a transaction. Nothing here knows what is stored.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/engine/base/cancel_token.h"
#include "core/engine/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace loader::app {

class Database;

/// A prepared statement. It must not outlive its database.
/// @thread confined to one thread
class Statement {
public:
    Statement() = default;
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&& other) noexcept;
    ~Statement();

    /// Parameters count from 1. Text is copied.
    Statement& bind(int index, std::int64_t value);
    Statement& bind(int index, int value) { return bind(index, static_cast<std::int64_t>(value)); }
    Statement& bind(int index, bool value) { return bind(index, static_cast<std::int64_t>(value)); }
    Statement& bind(int index, double value);
    Statement& bind(int index, std::string_view text);
    Statement& bind(int index, const char* text) { return bind(index, std::string_view(text)); }
    Statement& bind(int index, const std::string& text) { return bind(index, std::string_view(text)); }
    Statement& bindNull(int index);
    Statement& bind(int index, std::optional<std::int64_t> value);

    /// True where there is a row. @errors as Database
    Result<bool> step();
    /// Runs it to its end, and makes it ready for the next time. @errors as Database
    Status run();
    /// Ready for other parameters.
    void reset();

    /// Columns count from 0.
    std::int64_t integer(int column) const;
    double real(int column) const;
    std::string text(int column) const;
    bool isNull(int column) const;
    std::optional<std::int64_t> optionalInteger(int column) const;
    int columns() const;
    std::string columnName(int column) const;
    /// 1 integer, 2 real, 3 text, 4 blob, 5 null, as SQLite numbers them.
    int columnType(int column) const;

private:
    friend class Database;
    Statement(Database& owner, sqlite3_stmt* handle) : m_owner(&owner), m_handle(handle) {}

    Database* m_owner = nullptr;
    sqlite3_stmt* m_handle = nullptr;
    int m_bindFault = 0;
};

/// A connection. Its address does not change: statements point to it.
/// @errors D301 the file is damaged or no database, D303 locked, full, not permitted, and all else, X002
/// @thread confined to one thread
class Database {
public:
    enum class Mode : std::uint8_t {
        ReadWrite,
        ReadOnly,
        /// The file alone, as it lies there: no log, no lock, nothing written beside it.
        Immutable,
    };

    /// Waits up to five seconds for another process wherever it is locked.
    static Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode);
    /// A copy of a database file in memory, read-only in effect: nothing is ever written to a disk.
    static Result<std::unique_ptr<Database>> openCopy(std::string_view bytes, const std::string& place);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    /// One or several statements without parameters.
    Status execute(std::string_view sql);
    Result<Statement> prepare(std::string_view sql);
    /// The first column of the first row; nothing where there is none.
    Result<std::optional<std::int64_t>> number(std::string_view sql);
    std::int64_t lastRow() const;
    /// Rows that the last statement changed.
    std::int64_t changes() const;

    /// Work of a statement stops at this time, or once asked, with X002. @thread the token may be of another
    void stopAt(std::optional<std::chrono::steady_clock::time_point> deadline, CancelToken cancel = {});
    /// Reads on where the file contradicts itself, as far as that goes; never for writing.
    Status trustNothing();
    /// Writes a consistent copy while others may go on writing. The file must not exist.
    Status copyTo(const std::string& path, CancelToken cancel);

    const std::string& place() const { return m_place; }
    sqlite3* handle() const { return m_handle; }
    Error failure(int code) const;

private:
    Database(sqlite3* handle, std::string place) : m_handle(handle), m_place(std::move(place)) {}
    static int onProgress(void* self);

    sqlite3* m_handle;
    std::string m_place;
    std::optional<std::chrono::steady_clock::time_point> m_deadline;
    CancelToken m_cancel;
};

/// Takes everything back that was not committed.
class Transaction {
public:
    static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    Status commit();

private:
    explicit Transaction(Database& database) : m_database(&database) {}
    Database* m_database;
};

}  // namespace loader::app
