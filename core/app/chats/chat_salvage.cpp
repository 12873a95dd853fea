// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/chats/chat_salvage.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "core/app/chats/chat_backup.h"
#include "core/app/chats/chat_schema.h"
#include "core/app/chats/chat_store.h"
#include "core/app/storage/utf8_path.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kSideFiles = {"", "-wal", "-shm", "-journal"};
constexpr std::string_view kUnfinished = ".salvaging";
constexpr std::string_view kFinished = ".salvaged";
/// Gives up on a table after so many places that cannot be read.
constexpr int kMostGaps = 10'000;

struct TableCopy {
    std::string_view name;
    std::string_view columns;
};
constexpr std::array<TableCopy, 3> kTables = {{
    {"folders", "id, parent, name"},
    {"conversations",
     "id, uuid, origin, title, folder, pinned, archived, model, system_prompt, settings, created, changed, "
     "deleted, active"},
    {"messages", "id, conversation, parent, role, text, reasoning, model, time, state, deleted"},
}};

Status moved(const std::string& from, const std::string& to) {
    std::error_code fault;
    if (!fs::exists(fs::u8path(from), fault)) return {};
    fs::rename(fs::u8path(from), fs::u8path(to), fault);
    return fault ? Status(Error(Errc::D303, {fault.message()}, from)) : Status();
}

void removeAll(const std::string& path) {
    std::error_code fault;
    for (const std::string_view side : kSideFiles)
        fs::remove(fs::u8path(path + std::string(side)), fault);
}

/// A name beside the database that nothing has yet.
std::string asideName(const std::string& path, std::int64_t now) {
    const fs::path place = fs::u8path(path);
    const std::string stem = nativeText(place.parent_path() / place.stem());
    const std::string ending = nativeText(place.extension());
    const std::string stamp = utcText(now, "%Y%m%d-%H%M%S");
    std::error_code fault;
    for (int i = 0;; ++i) {
        std::string name = stem + ".damaged-" + stamp + (i ? "-" + std::to_string(i) : "") + ending;
        if (!fs::exists(fs::u8path(name), fault) && !fs::exists(fs::u8path(name + "-wal"), fault))
            return name;
    }
}

/// One table of one source into the new database; rows that cannot be read are stepped over.
class TableReader {
public:
    TableReader(Database& from, Database& to, const TableCopy& table)
        : m_from(from), m_to(to), m_table(table) {}

    std::size_t copied() const { return m_copied; }

    Status copy() {
        const std::string columns(m_table.columns);
        const std::string name(m_table.name);
        std::string marks = "?1";
        const auto count = static_cast<int>(std::count(columns.begin(), columns.end(), ',') + 1);
        for (int i = 2; i <= count; ++i)
            marks += ", ?" + std::to_string(i);
        LOADER_TRY(m_insert,
                   m_to.prepare("INSERT OR IGNORE INTO " + name + "(" + columns + ") VALUES(" + marks + ")"));
        auto select = m_from.prepare("SELECT " + columns + " FROM " + name + " WHERE id > ?1 ORDER BY id");
        // The schema itself is gone: this source has nothing to give.
        if (!select) return {};
        m_select = std::move(*select);
        std::int64_t after = INT64_MIN;
        std::int64_t step = 1;
        for (int gaps = 0; gaps < kMostGaps;) {
            LOADER_TRY(const bool whole, readFrom(after));
            if (whole) return {};
            const bool moving = m_last > after;
            if (moving) {
                after = m_last;
                step = 1;
            }
            // Unreadable here: look further on, in steps that double until something can be read again.
            ++gaps;
            if (after > INT64_MAX - step || step > (std::int64_t{1} << 40)) return {};
            after = (after == INT64_MIN ? 0 : after) + step;
            step *= 2;
            m_last = after;
        }
        return {};
    }

private:
    /// @return true where the end of the table was reached
    Result<bool> readFrom(std::int64_t after) {
        m_select.reset();
        m_select.bind(1, after);
        while (true) {
            auto row = m_select.step();
            if (!row) return false;
            if (!*row) return true;
            m_last = m_select.integer(0);
            m_insert.reset();
            for (int i = 0; i < m_select.columns(); ++i) {
                if (m_select.columnType(i) == 1) {
                    m_insert.bind(i + 1, m_select.integer(i));
                } else if (m_select.isNull(i)) {
                    m_insert.bindNull(i + 1);
                } else {
                    m_insert.bind(i + 1, storableText(m_select.text(i)));
                }
            }
            // A row that breaks a rule (no title, the same number twice) is not worth the others.
            const Status added = m_insert.run();
            if (added) m_copied += static_cast<std::size_t>(m_to.changes());
            if (!added && (added.error().code() == Errc::D301 || !m_to.handle())) return added.error();
        }
    }

    Database& m_from;
    Database& m_to;
    TableCopy m_table;
    Statement m_select;
    Statement m_insert;
    std::int64_t m_last = INT64_MIN;
    std::size_t m_copied = 0;
};

Status copySource(const std::string& source, Database::Mode mode, Database& to, SalvageReport& report,
                  bool backup) {
    auto from = Database::open(source, mode);
    // Damaged beyond reading; the next source may have it.
    if (!from || !(*from)->trustNothing()) return {};
    std::array<std::size_t, 3> copied{};
    for (std::size_t i = 0; i < kTables.size(); ++i) {
        TableReader reader(**from, to, kTables[i]);
        LOADER_CHECK(reader.copy());
        copied[i] = reader.copied();
    }
    if (backup) report.fromBackup += copied[0] + copied[1] + copied[2];
    return {};
}

/// Gives every message a chat and every chat a folder that is there.
Status repairLinks(Database& to, SalvageReport& report, std::int64_t now) {
    const std::string lost =
        "SELECT count(*) FROM messages WHERE conversation NOT IN (SELECT id FROM conversations)";
    LOADER_TRY(const auto homeless, to.number(lost));
    if (homeless.value_or(0) > 0) {
        LOADER_TRY(Statement add,
                   to.prepare("INSERT INTO conversations(uuid, title, created, changed) VALUES(?1, "
                              "'Recovered messages', ?2, ?2)"));
        add.bind(1, ChatStore::newUuid()).bind(2, now);
        LOADER_CHECK(add.run());
        LOADER_TRY(Statement adopt,
                   to.prepare("UPDATE messages SET conversation = ?1 WHERE conversation NOT IN "
                              "(SELECT id FROM conversations)"));
        adopt.bind(1, to.lastRow());
        LOADER_CHECK(adopt.run());
        report.orphans += static_cast<std::size_t>(to.changes());
    }
    LOADER_CHECK(
        to.execute("UPDATE messages SET parent = NULL WHERE parent IS NOT NULL AND (parent >= id OR parent "
                   "NOT IN (SELECT id "
                   "FROM messages))"));
    report.orphans += static_cast<std::size_t>(to.changes());
    LOADER_CHECK(to.execute(
        "UPDATE conversations SET folder = NULL WHERE folder IS NOT NULL AND folder NOT IN (SELECT id FROM "
        "folders)"));
    LOADER_CHECK(
        to.execute("UPDATE folders SET parent = NULL WHERE parent IS NOT NULL AND parent NOT IN (SELECT id "
                   "FROM folders)"));
    return to.execute(
        "UPDATE conversations SET active = (SELECT max(id) FROM messages WHERE conversation = "
        "conversations.id "
        "AND deleted IS NULL) WHERE active IS NULL OR active NOT IN (SELECT id FROM messages)");
}

Status build(const std::string& target, const std::string& source, const std::string& backups,
             SalvageReport& report, std::int64_t now) {
    LOADER_TRY(const auto to, Database::open(target, Database::Mode::ReadWrite));
    // It is thrown away when this is interrupted; what counts is that it is whole before it is renamed.
    LOADER_CHECK(to->execute("PRAGMA journal_mode = DELETE"));
    LOADER_CHECK(to->execute("PRAGMA synchronous = FULL"));
    LOADER_CHECK(upgradeChatSchema(*to, 0));
    LOADER_TRY(Transaction transaction, Transaction::begin(*to));
    LOADER_CHECK(copySource(source, Database::Mode::ReadOnly, *to, report, false));
    // The log may be what is damaged, or of another database.
    LOADER_CHECK(copySource(source, Database::Mode::Immutable, *to, report, false));
    const auto copies = chatBackups(backups, source);
    if (!copies.empty())
        LOADER_CHECK(copySource(copies.back(), Database::Mode::Immutable, *to, report, true));
    LOADER_CHECK(repairLinks(*to, report, now));
    LOADER_CHECK(to->execute("UPDATE messages SET state = 2 WHERE state = 1"));
    LOADER_CHECK(rebuildChatIndex(*to));
    const std::array<std::pair<const char*, std::size_t*>, 3> counts = {{
        {"SELECT count(*) FROM folders", &report.folders},
        {"SELECT count(*) FROM conversations", &report.chats},
        {"SELECT count(*) FROM messages", &report.messages},
    }};
    for (const auto& [sql, place] : counts) {
        LOADER_TRY(const auto number, to->number(sql));
        *place = static_cast<std::size_t>(number.value_or(0));
    }
    return transaction.commit();
}

}  // namespace

Result<SalvageReport> salvageChats(const std::string& path, const std::string& backups,
                                   const std::string& fault, std::int64_t now) {
    SalvageReport report;
    report.fault = fault;
    const std::string unfinished = path + std::string(kUnfinished);
    removeAll(unfinished);
    LOADER_CHECK(build(unfinished, path, backups, report, now));
    LOADER_CHECK(moved(unfinished, path + std::string(kFinished)));
    report.setAside = asideName(path, now);
    // The database first: without it, and with the finished one there, the next start knows where it was.
    for (const std::string_view side : kSideFiles)
        LOADER_CHECK(moved(path + std::string(side), report.setAside + std::string(side)));
    LOADER_CHECK(finishSalvage(path, now));
    return report;
}

Status finishSalvage(const std::string& path, std::int64_t now) {
    std::error_code fault;
    const std::string finished = path + std::string(kFinished);
    if (fs::exists(fs::u8path(path), fault) || !fs::exists(fs::u8path(finished), fault)) return {};
    // The log of the damaged one must not be taken for that of the new one.
    const std::string aside = asideName(path, now);
    for (const std::string_view side : kSideFiles)
        LOADER_CHECK(moved(path + std::string(side), aside + std::string(side)));
    return moved(finished, path);
}

namespace {

/// The identity that a database got when it was made; empty where it cannot be read.
std::string identityOf(const std::string& path, Database::Mode mode) {
    const auto database = Database::open(path, mode);
    if (!database || !(*database)->trustNothing()) return {};
    auto row = (*database)->prepare("SELECT identity FROM store");
    if (!row) return {};
    const auto found = row->step();
    return found && *found ? row->text(0) : std::string();
}

}  // namespace

Result<std::optional<SalvageReport>> setForeignLogAside(const std::string& path, std::int64_t now) {
    std::error_code fault;
    const std::string log = path + "-wal";
    if (!fs::exists(fs::u8path(log), fault)) return std::optional<SalvageReport>();
    SalvageReport report;
    if (fs::exists(fs::u8path(path), fault)) {
        const std::string alone = identityOf(path, Database::Mode::Immutable);
        // The very first log of a new database has its identity, and the file itself not yet.
        if (alone.empty()) return std::optional<SalvageReport>();
        const std::string together = identityOf(path, Database::Mode::ReadOnly);
        if (together.empty() || together == alone) return std::optional<SalvageReport>();
        report.fault = "the write-ahead log beside it is that of another database";
    } else {
        report.fault = "there is a write-ahead log without its database";
    }
    report.setAside = asideName(path, now);
    LOADER_CHECK(moved(log, report.setAside + "-wal"));
    LOADER_CHECK(moved(path + "-shm", report.setAside + "-shm"));
    return std::optional<SalvageReport>(std::move(report));
}

}  // namespace loader::app
