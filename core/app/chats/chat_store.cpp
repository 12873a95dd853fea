// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/chats/chat_store.h"

#include <array>
#include <random>

#include "core/app/chats/chat_salvage.h"
#include "core/app/chats/chat_schema.h"
#include "core/app/config/setting_list.h"
#include "core/app/storage/json_text.h"

namespace loader::app {
namespace {

constexpr std::chrono::seconds kQuickCheckLimit{2};
constexpr std::size_t kMostTitleBytes = 4096;
/// Changes that undo() can take back.
constexpr std::size_t kMostUndo = 1000;

constexpr std::string_view kSummaryColumns =
    "id, title, folder, pinned, archived, model, created, changed, deleted";

std::int64_t systemNow() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

ChatSummary summaryOf(const Statement& row) {
    ChatSummary summary;
    summary.id = row.integer(0);
    summary.title = row.text(1);
    summary.folder = row.optionalInteger(2);
    summary.pinned = row.integer(3) != 0;
    summary.archived = row.integer(4) != 0;
    summary.model = row.text(5);
    summary.created = row.integer(6);
    summary.changed = row.integer(7);
    summary.deleted = row.optionalInteger(8);
    return summary;
}

Error noSuch(const char* what) {
    return Error(Errc::D304, {what});
}

/// One line, not endless.
std::string storableTitle(std::string_view title) {
    std::string kept = storableText(title.substr(0, kMostTitleBytes));
    for (char& letter : kept)
        if (static_cast<unsigned char>(letter) < 0x20) letter = ' ';
    return kept;
}

Result<Json> checkedSettings(const Json& settings) {
    if (!settings.is_object()) return Error(Errc::D305, {"settings", "they are no object"});
    Json kept = Json::object();
    for (const auto& [key, value] : settings.items()) {
        const SettingSpec* spec = findSetting(key);
        if (!spec || spec->reach != SettingReach::Model)
            return Error(Errc::D305, {"settings", "a chat has no " + storableText(key)});
        auto checked = checkedSetting(*spec, value);
        if (!checked) return Error(Errc::D305, {"settings", checked.error().message()});
        kept[key] = std::move(*checked);
    }
    return kept;
}

bool isDamage(const Error& error) {
    return error.code() == Errc::D301;
}

}  // namespace

std::string ChatStore::newUuid() {
    std::random_device source;
    std::string text;
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (int i = 0; i < 32; ++i) {
        if (i == 8 || i == 12 || i == 16 || i == 20) text += '-';
        text += kDigits[source() & 15u];
    }
    text[14] = '4';
    return text;
}

Result<std::unique_ptr<ChatStore>> ChatStore::open(const std::string& path, const std::string& backups,
                                                   Clock clock) {
    if (!clock) clock = systemNow;
    std::optional<SalvageReport> salvaged;
    // Twice: the second time after the damaged file was set aside.
    for (int round = 0;; ++round) {
        LOADER_CHECK(finishSalvage(path, clock()));
        LOADER_TRY(auto orphan, setForeignLogAside(path, clock()));
        if (orphan) salvaged = std::move(orphan);
        auto database = Database::open(path, Database::Mode::ReadWrite);
        Status prepared;
        std::unique_ptr<ChatStore> store;
        if (database) {
            store.reset(new ChatStore(std::move(*database), backups, clock));
            prepared = store->prepareFile();
        } else {
            prepared = std::move(database).error();
        }
        if (prepared) {
            store->m_salvaged = std::move(salvaged);
            return store;
        }
        if (!isDamage(prepared.error()) || round > 0) return std::move(prepared).error();
        const std::string fault =
            prepared.error().args().empty() ? std::string() : prepared.error().args().front();
        store.reset();
        LOADER_TRY(salvaged, salvageChats(path, backups, fault, clock()));
    }
}

Status ChatStore::prepareFile() {
    LOADER_TRY(const std::int64_t schema, chatSchemaOf(*m_database));
    if (schema > kChatSchema) {
        m_readOnly = true;
        const std::string path = m_database->place();
        LOADER_TRY(m_database, Database::open(path, Database::Mode::ReadOnly));
        return {};
    }
    LOADER_CHECK(configureChatDatabase(*m_database));
    LOADER_CHECK(upgradeChatSchema(*m_database, schema));
    m_database->stopAt(std::chrono::steady_clock::now() + kQuickCheckLimit);
    auto verdict = checkChatDatabase(*m_database, false);
    m_database->stopAt(std::nullopt);
    m_checkedWhole = verdict.ok();
    if (!verdict && verdict.error().code() != Errc::X002) return std::move(verdict).error();
    if (verdict && *verdict != "ok") return Error(Errc::D301, {*verdict}, m_database->place());
    LOADER_CHECK(finishCutOffAnswers());
    LOADER_TRY(const std::size_t removed, emptyBin());
    static_cast<void>(removed);
    return {};
}

Status ChatStore::finishCutOffAnswers() {
    // One that another instance is writing right now is taken up again when it grows.
    return run({"UPDATE messages SET state = 2 WHERE state = 1", {}});
}

Status ChatStore::checkNow(CancelToken cancel) {
    m_database->stopAt(std::nullopt, cancel);
    auto verdict = checkChatDatabase(*m_database, true);
    m_database->stopAt(std::nullopt);
    if (!verdict) return std::move(verdict).error();
    return *verdict == "ok" ? Status() : Status(Error(Errc::D301, {*verdict}, m_database->place()));
}

Status ChatStore::writable() const {
    if (!m_readOnly) return {};
    auto schema = m_database->number("PRAGMA user_version");
    const std::int64_t version = schema ? schema->value_or(0) : 0;
    return Error(Errc::D302, {std::to_string(version), std::to_string(kChatSchema)}, m_database->place());
}

Result<Statement*> ChatStore::statement(std::string_view sql) {
    auto found = m_statements.find(sql);
    if (found == m_statements.end()) {
        LOADER_TRY(Statement fresh, m_database->prepare(sql));
        found = m_statements.emplace(std::string(sql), std::move(fresh)).first;
    }
    found->second.reset();
    return &found->second;
}

Status ChatStore::run(const Step& step) {
    LOADER_TRY(Statement * work, statement(step.sql));
    int index = 0;
    for (const Value& value : step.values) {
        ++index;
        if (const auto* number = std::get_if<std::int64_t>(&value)) {
            work->bind(index, *number);
        } else if (const auto* text = std::get_if<std::string>(&value)) {
            work->bind(index, *text);
        } else {
            work->bindNull(index);
        }
    }
    return work->run();
}

Result<std::string> ChatStore::undo() {
    LOADER_CHECK(writable());
    if (m_undo.empty()) return std::string();
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    for (const Step& step : m_undo.back().steps)
        LOADER_CHECK(run(step));
    LOADER_CHECK(transaction.commit());
    std::string label = std::move(m_undo.back().label);
    m_undo.pop_back();
    return label;
}

// --- chats ---

Result<ChatId> ChatStore::addChat(const NewChat& chat) {
    LOADER_CHECK(writable());
    LOADER_TRY(const Json settings, checkedSettings(chat.settings));
    if (chat.folder) LOADER_CHECK(requireFolder(*chat.folder));
    LOADER_TRY(Statement * add,
               statement("INSERT INTO conversations(uuid, title, folder, model, system_prompt, settings, "
                         "created, changed) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)"));
    add->bind(1, newUuid()).bind(2, storableTitle(chat.title)).bind(3, chat.folder);
    add->bind(4, storableText(chat.model)).bind(5, storableText(chat.systemPrompt));
    add->bind(6, settings.dump()).bind(7, now());
    LOADER_CHECK(add->run());
    return m_database->lastRow();
}

Result<std::vector<ChatSummary>> ChatStore::list(const ChatListOptions& options) {
    using Shelf = ChatListOptions::Shelf;
    std::string sql = "SELECT " + std::string(kSummaryColumns) + " FROM conversations WHERE ";
    sql += options.shelf == Shelf::Bin        ? "deleted IS NOT NULL"
           : options.shelf == Shelf::Archived ? "deleted IS NULL AND archived = 1"
                                              : "deleted IS NULL AND archived = 0";
    if (options.folder) sql += *options.folder == 0 ? " AND folder IS NULL" : " AND folder = ?3";
    sql += options.shelf == Shelf::Bin ? " ORDER BY deleted DESC, id DESC"
                                       : " ORDER BY pinned DESC, changed DESC, id DESC";
    sql += " LIMIT ?1 OFFSET ?2";
    LOADER_TRY(Statement * rows, statement(sql));
    rows->bind(1, options.limit).bind(2, options.offset);
    if (options.folder && *options.folder != 0) rows->bind(3, *options.folder);
    std::vector<ChatSummary> chats;
    while (true) {
        LOADER_TRY(const bool more, rows->step());
        if (!more) break;
        chats.push_back(summaryOf(*rows));
    }
    rows->reset();
    return chats;
}

Result<Chat> ChatStore::chat(ChatId id) {
    LOADER_TRY(Statement * row,
               statement("SELECT " + std::string(kSummaryColumns) +
                         ", uuid, system_prompt, settings, active FROM conversations WHERE id = ?1"));
    row->bind(1, id);
    LOADER_TRY(const bool found, row->step());
    if (!found) return noSuch("chat");
    Chat chat;
    chat.summary = summaryOf(*row);
    chat.uuid = row->text(9);
    chat.systemPrompt = row->text(10);
    if (auto settings = parseJson(row->text(11)); settings && settings->document.is_object())
        chat.settings = std::move(settings->document);
    chat.active = row->optionalInteger(12);
    row->reset();
    return chat;
}

Status ChatStore::change(ChatId chat, std::string_view column, const Value& value, std::string label) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_TRY(Statement * old,
               statement("SELECT " + std::string(column) + " FROM conversations WHERE id = ?1"));
    old->bind(1, chat);
    LOADER_TRY(const bool found, old->step());
    if (!found) return noSuch("chat");
    Value before;
    if (old->columnType(0) == 1) before = old->integer(0);
    if (old->columnType(0) == 3) before = old->text(0);
    old->reset();
    const std::string sql = "UPDATE conversations SET " + std::string(column) + " = ?1 WHERE id = ?2";
    LOADER_CHECK(run({sql, {value, chat}}));
    LOADER_CHECK(transaction.commit());
    m_undo.push_back({std::move(label), {{sql, {before, chat}}}});
    if (m_undo.size() > kMostUndo) m_undo.erase(m_undo.begin());
    return {};
}

Status ChatStore::rename(ChatId chat, std::string_view title) {
    return change(chat, "title", storableTitle(title), "rename chat");
}

Status ChatStore::setPinned(ChatId chat, bool pinned) {
    return change(chat, "pinned", std::int64_t{pinned}, pinned ? "pin chat" : "unpin chat");
}

Status ChatStore::setArchived(ChatId chat, bool archived) {
    return change(chat, "archived", std::int64_t{archived}, archived ? "archive chat" : "bring chat back");
}

Status ChatStore::setModel(ChatId chat, std::string_view model) {
    return change(chat, "model", storableText(model), "change model");
}

Status ChatStore::setSystemPrompt(ChatId chat, std::string_view prompt) {
    if (prompt.size() > kMostMessageBytes) return Error(Errc::D305, {"system prompt", "it is too long"});
    return change(chat, "system_prompt", storableText(prompt), "change system prompt");
}

Status ChatStore::setSettings(ChatId chat, const Json& settings) {
    LOADER_TRY(const Json checked, checkedSettings(settings));
    return change(chat, "settings", checked.dump(), "change settings");
}

Status ChatStore::moveTo(ChatId chat, std::optional<FolderId> folder) {
    if (folder) LOADER_CHECK(requireFolder(*folder));
    return change(chat, "folder", folder ? Value(*folder) : Value(), "move chat");
}

Status ChatStore::moveToBin(std::span<const ChatId> chats) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    Undo back{"delete chats", {}};
    for (const ChatId chat : chats) {
        const Step step{"UPDATE conversations SET deleted = ?1 WHERE id = ?2 AND deleted IS NULL",
                        {now(), chat}};
        LOADER_CHECK(run(step));
        if (m_database->changes() == 0) continue;
        back.steps.push_back({"UPDATE conversations SET deleted = NULL WHERE id = ?1", {chat}});
    }
    LOADER_CHECK(transaction.commit());
    if (!back.steps.empty()) m_undo.push_back(std::move(back));
    return {};
}

Status ChatStore::restore(std::span<const ChatId> chats) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    for (const ChatId chat : chats)
        LOADER_CHECK(run({"UPDATE conversations SET deleted = NULL WHERE id = ?1", {chat}}));
    return transaction.commit();
}

Result<std::size_t> ChatStore::emptyBin(bool everything) {
    LOADER_CHECK(writable());
    constexpr std::int64_t kDay = 86'400'000;
    const std::int64_t latest = everything ? INT64_MAX : now() - kBinDays * kDay;
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_CHECK(run({"DELETE FROM conversations WHERE deleted IS NOT NULL AND deleted <= ?1", {latest}}));
    const auto removed = static_cast<std::size_t>(m_database->changes());
    LOADER_CHECK(run({"DELETE FROM messages WHERE deleted IS NOT NULL AND deleted <= ?1", {latest}}));
    LOADER_CHECK(transaction.commit());
    // What is gone for good cannot be taken back.
    if (everything) m_undo.clear();
    return removed;
}

// --- folders ---

Status ChatStore::requireFolder(FolderId folder) {
    LOADER_TRY(Statement * row, statement("SELECT 1 FROM folders WHERE id = ?1"));
    row->bind(1, folder);
    LOADER_TRY(const bool found, row->step());
    row->reset();
    return found ? Status() : Status(noSuch("folder"));
}

Result<FolderId> ChatStore::addFolder(std::string_view name, std::optional<FolderId> parent) {
    LOADER_CHECK(writable());
    if (name.empty()) return Error(Errc::D305, {"name", "it is empty"});
    if (parent) LOADER_CHECK(requireFolder(*parent));
    LOADER_CHECK(run({"INSERT INTO folders(name, parent) VALUES(?1, ?2)",
                      {storableTitle(name), parent ? Value(*parent) : Value()}}));
    return m_database->lastRow();
}

Status ChatStore::renameFolder(FolderId folder, std::string_view name) {
    LOADER_CHECK(writable());
    if (name.empty()) return Error(Errc::D305, {"name", "it is empty"});
    LOADER_TRY(Statement * old, statement("SELECT name FROM folders WHERE id = ?1"));
    old->bind(1, folder);
    LOADER_TRY(const bool found, old->step());
    if (!found) return noSuch("folder");
    const std::string before = old->text(0);
    old->reset();
    const std::string sql = "UPDATE folders SET name = ?1 WHERE id = ?2";
    LOADER_CHECK(run({sql, {storableTitle(name), folder}}));
    m_undo.push_back({"rename folder", {{sql, {before, folder}}}});
    return {};
}

Status ChatStore::deleteFolder(FolderId folder) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_TRY(Statement * old, statement("SELECT name, parent FROM folders WHERE id = ?1"));
    old->bind(1, folder);
    LOADER_TRY(const bool found, old->step());
    if (!found) return noSuch("folder");
    const std::string name = old->text(0);
    const auto parent = old->optionalInteger(1);
    const Value above = parent ? Value(*parent) : Value();
    old->reset();
    Undo back{"delete folder",
              {{"INSERT INTO folders(id, name, parent) VALUES(?1, ?2, ?3)", {folder, name, above}}}};
    constexpr std::array<std::pair<const char*, const char*>, 2> kContents = {
        {{"conversations", "folder"}, {"folders", "parent"}}};
    for (const auto& place : kContents) {
        const std::string table = place.first;
        const std::string column = place.second;
        LOADER_TRY(Statement * rows, statement("SELECT id FROM " + table + " WHERE " + column + " = ?1"));
        rows->bind(1, folder);
        const std::string move = "UPDATE " + table + " SET " + column + " = ?1 WHERE id = ?2";
        while (true) {
            LOADER_TRY(const bool more, rows->step());
            if (!more) break;
            back.steps.push_back({move, {folder, rows->integer(0)}});
        }
        rows->reset();
        LOADER_CHECK(
            run({"UPDATE " + table + " SET " + column + " = ?1 WHERE " + column + " = ?2", {above, folder}}));
    }
    LOADER_CHECK(run({"DELETE FROM folders WHERE id = ?1", {folder}}));
    LOADER_CHECK(transaction.commit());
    m_undo.push_back(std::move(back));
    return {};
}

Result<std::vector<ChatFolder>> ChatStore::folders() {
    LOADER_TRY(Statement * rows, statement("SELECT id, parent, name FROM folders ORDER BY id"));
    std::vector<ChatFolder> all;
    while (true) {
        LOADER_TRY(const bool more, rows->step());
        if (!more) break;
        all.push_back({rows->integer(0), rows->optionalInteger(1), rows->text(2)});
    }
    rows->reset();
    return all;
}

}  // namespace loader::app
