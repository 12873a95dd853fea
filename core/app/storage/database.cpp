// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/storage/database.h"

#include <sqlite3.h>

#include <cstring>
#include <utility>

namespace loader::app {
namespace {

constexpr int kBusyMilliseconds = 5000;
/// Steps of SQLite's machine between two looks at the clock.
constexpr int kStepsPerLook = 4000;
constexpr int kPagesPerStep = 512;

/// The address of a file that SQLite takes for one that nobody changes.
std::string immutableAddress(const std::string& path) {
    std::string address = "file:";
    if (!path.empty() && path.front() != '/') address += path.find(':') == std::string::npos ? "" : "/";
    for (const char letter : path) {
        if (letter == '%' || letter == '?' || letter == '#') {
            constexpr std::string_view kDigits = "0123456789ABCDEF";
            const auto code = static_cast<unsigned char>(letter);
            address += '%';
            address += kDigits[code >> 4];
            address += kDigits[code & 15];
        } else {
            address += letter == '\\' ? '/' : letter;
        }
    }
    return address + "?immutable=1";
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : m_owner(other.m_owner),
      m_handle(std::exchange(other.m_handle, nullptr)),
      m_bindFault(other.m_bindFault) {}

Statement& Statement::operator=(Statement&& other) noexcept {
    std::swap(m_owner, other.m_owner);
    std::swap(m_handle, other.m_handle);
    std::swap(m_bindFault, other.m_bindFault);
    return *this;
}

Statement::~Statement() {
    sqlite3_finalize(m_handle);
}

Statement& Statement::bind(int index, std::int64_t value) {
    const int code = sqlite3_bind_int64(m_handle, index, value);
    if (code != SQLITE_OK) m_bindFault = code;
    return *this;
}

Statement& Statement::bind(int index, double value) {
    const int code = sqlite3_bind_double(m_handle, index, value);
    if (code != SQLITE_OK) m_bindFault = code;
    return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
    // A null pointer would bind NULL.
    const char* bytes = text.data() ? text.data() : "";
    const int code = sqlite3_bind_text64(m_handle, index, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    if (code != SQLITE_OK) m_bindFault = code;
    return *this;
}

Statement& Statement::bindNull(int index) {
    const int code = sqlite3_bind_null(m_handle, index);
    if (code != SQLITE_OK) m_bindFault = code;
    return *this;
}

Statement& Statement::bind(int index, std::optional<std::int64_t> value) {
    return value ? bind(index, *value) : bindNull(index);
}

Result<bool> Statement::step() {
    if (m_bindFault != 0) return m_owner->failure(m_bindFault);
    const int code = sqlite3_step(m_handle);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    Error fault = m_owner->failure(code);
    sqlite3_reset(m_handle);
    return fault;
}

Status Statement::run() {
    while (true) {
        auto more = step();
        if (!more) return std::move(more).error();
        if (!*more) break;
    }
    reset();
    return {};
}

void Statement::reset() {
    sqlite3_reset(m_handle);
    sqlite3_clear_bindings(m_handle);
    m_bindFault = 0;
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(m_handle, column);
}

double Statement::real(int column) const {
    return sqlite3_column_double(m_handle, column);
}

std::string Statement::text(int column) const {
    const unsigned char* bytes = sqlite3_column_text(m_handle, column);
    const auto length = static_cast<std::size_t>(sqlite3_column_bytes(m_handle, column));
    return bytes ? std::string(reinterpret_cast<const char*>(bytes), length) : std::string();
}

bool Statement::isNull(int column) const {
    return sqlite3_column_type(m_handle, column) == SQLITE_NULL;
}

std::optional<std::int64_t> Statement::optionalInteger(int column) const {
    if (isNull(column)) return std::nullopt;
    return integer(column);
}

int Statement::columns() const {
    return sqlite3_column_count(m_handle);
}

std::string Statement::columnName(int column) const {
    const char* name = sqlite3_column_name(m_handle, column);
    return name ? name : "";
}

int Statement::columnType(int column) const {
    return sqlite3_column_type(m_handle, column);
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode) {
    const bool immutable = mode == Mode::Immutable;
    const int flags =
        mode == Mode::ReadWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    const std::string name = immutable ? immutableAddress(path) : path;
    sqlite3* handle = nullptr;
    const int code =
        sqlite3_open_v2(name.c_str(), &handle, flags | (immutable ? SQLITE_OPEN_URI : 0), nullptr);
    std::unique_ptr<Database> database(new Database(handle, path));
    if (code != SQLITE_OK) return database->failure(code);
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, kBusyMilliseconds);
    // A hostile schema must not run functions of its choice; triggers of our own write the full-text index.
    if (immutable) sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_progress_handler(handle, kStepsPerLook, &Database::onProgress, database.get());
    return database;
}

Result<std::unique_ptr<Database>> Database::openCopy(std::string_view bytes, const std::string& place) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(":memory:", &handle, SQLITE_OPEN_READWRITE, nullptr);
    std::unique_ptr<Database> database(new Database(handle, place));
    if (code != SQLITE_OK) return database->failure(code);
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_progress_handler(handle, kStepsPerLook, &Database::onProgress, database.get());
    auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(bytes.size() + 1));
    if (!copy) return database->failure(SQLITE_NOMEM);
    if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
    // Bytes 18 and 19 say that there is a write-ahead log; one in memory has none.
    if (bytes.size() >= 20) copy[18] = copy[19] = 1;
    const auto size = static_cast<sqlite3_int64>(bytes.size());
    const int loaded = sqlite3_deserialize(handle, "main", copy, size, size,
                                           SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
    if (loaded != SQLITE_OK) return database->failure(loaded);
    return database;
}

Database::~Database() {
    sqlite3_close_v2(m_handle);
}

Error Database::failure(int code) const {
    const int kind = code & 0xFF;
    if (kind == SQLITE_INTERRUPT) return Error(Errc::X002, {}, m_place);
    const bool known = m_handle && sqlite3_errcode(m_handle) != SQLITE_OK;
    const std::string words = known ? sqlite3_errmsg(m_handle) : sqlite3_errstr(code);
    const bool damaged = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
    return Error(damaged ? Errc::D301 : Errc::D303, {words}, m_place);
}

Status Database::execute(std::string_view sql) {
    const std::string text(sql);
    const int code = sqlite3_exec(m_handle, text.c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? Status() : Status(failure(code));
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* handle = nullptr;
    const int code = sqlite3_prepare_v3(m_handle, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
    if (code != SQLITE_OK) return failure(code);
    return Statement(*this, handle);
}

Result<std::optional<std::int64_t>> Database::number(std::string_view sql) {
    LOADER_TRY(Statement statement, prepare(sql));
    LOADER_TRY(const bool row, statement.step());
    if (!row) return std::optional<std::int64_t>();
    return statement.optionalInteger(0);
}

std::int64_t Database::lastRow() const {
    return sqlite3_last_insert_rowid(m_handle);
}

std::int64_t Database::changes() const {
    return sqlite3_changes64(m_handle);
}

void Database::stopAt(std::optional<std::chrono::steady_clock::time_point> deadline, CancelToken cancel) {
    m_deadline = deadline;
    m_cancel = cancel;
}

int Database::onProgress(void* self) {
    const auto& database = *static_cast<const Database*>(self);
    if (database.m_cancel.cancelled()) return 1;
    return database.m_deadline && std::chrono::steady_clock::now() > *database.m_deadline ? 1 : 0;
}

Status Database::trustNothing() {
    sqlite3_db_config(m_handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_db_config(m_handle, SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
    // So SQLite reads files that are shorter than their head says.
    return execute("PRAGMA writable_schema = ON");
}

Status Database::copyTo(const std::string& path, CancelToken cancel) {
    LOADER_TRY(const auto target, Database::open(path, Mode::ReadWrite));
    sqlite3_backup* work = sqlite3_backup_init(target->m_handle, "main", m_handle, "main");
    if (!work) return target->failure(sqlite3_errcode(target->m_handle));
    int code = SQLITE_OK;
    while (!cancel.cancelled()) {
        code = sqlite3_backup_step(work, kPagesPerStep);
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
            sqlite3_sleep(20);
            continue;
        }
        if (code != SQLITE_OK) break;
    }
    sqlite3_backup_finish(work);
    LOADER_CHECK(cancel.check());
    return code == SQLITE_DONE ? Status() : Status(target->failure(code));
}

Result<Transaction> Transaction::begin(Database& database) {
    LOADER_CHECK(database.execute("BEGIN IMMEDIATE"));
    return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : m_database(std::exchange(other.m_database, nullptr)) {}

Transaction::~Transaction() {
    if (m_database)
        ignoreErrorBecause("the error that led here is the one to tell", m_database->execute("ROLLBACK"));
}

Status Transaction::commit() {
    LOADER_CHECK(m_database->execute("COMMIT"));
    m_database = nullptr;
    return {};
}

}  // namespace loader::app
