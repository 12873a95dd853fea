// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/chats/chat_schema.h"

#include <array>

#include "core/engine/base/utf8.h"

namespace loader::app {
namespace {

/// Entry n makes schema n + 1 of schema n. An entry is never changed once it was released.
constexpr std::array<const char*, kChatSchema> kSteps = {
    R"sql(
CREATE TABLE store(identity TEXT NOT NULL);
INSERT INTO store VALUES(lower(hex(randomblob(16))));

CREATE TABLE folders(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  parent INTEGER REFERENCES folders(id),
  name TEXT NOT NULL);

CREATE TABLE conversations(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  origin TEXT UNIQUE,
  title TEXT NOT NULL,
  folder INTEGER REFERENCES folders(id),
  pinned INTEGER NOT NULL DEFAULT 0,
  archived INTEGER NOT NULL DEFAULT 0,
  model TEXT NOT NULL DEFAULT '',
  system_prompt TEXT NOT NULL DEFAULT '',
  settings TEXT NOT NULL DEFAULT '{}',
  created INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  deleted INTEGER,
  active INTEGER);
CREATE INDEX conversations_shelf ON conversations(archived, pinned DESC, changed DESC, id DESC) WHERE deleted IS NULL;
CREATE INDEX conversations_folder ON conversations(folder);
CREATE INDEX conversations_bin ON conversations(deleted) WHERE deleted IS NOT NULL;

CREATE TABLE messages(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
  parent INTEGER REFERENCES messages(id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  text TEXT NOT NULL,
  reasoning TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL DEFAULT '',
  time INTEGER,
  state INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER);
CREATE INDEX messages_conversation ON messages(conversation);
CREATE INDEX messages_parent ON messages(parent) WHERE parent IS NOT NULL;
CREATE INDEX messages_streaming ON messages(state) WHERE state = 1;
CREATE INDEX messages_bin ON messages(deleted) WHERE deleted IS NOT NULL;

CREATE VIRTUAL TABLE message_index USING fts5(
  text, content='messages', content_rowid='id', tokenize='unicode61 remove_diacritics 2', prefix='2 3');
CREATE VIRTUAL TABLE title_index USING fts5(
  title, content='conversations', content_rowid='id', tokenize='unicode61 remove_diacritics 2');

CREATE TRIGGER message_added AFTER INSERT ON messages WHEN new.state <> 1 BEGIN
  INSERT INTO message_index(rowid, text) VALUES(new.id, new.text);
END;
CREATE TRIGGER message_finished AFTER UPDATE OF state ON messages WHEN old.state = 1 AND new.state <> 1 BEGIN
  INSERT INTO message_index(rowid, text) VALUES(new.id, new.text);
END;
CREATE TRIGGER message_resumed AFTER UPDATE OF state ON messages WHEN old.state <> 1 AND new.state = 1 BEGIN
  INSERT INTO message_index(message_index, rowid, text) VALUES('delete', old.id, old.text);
END;
CREATE TRIGGER message_removed AFTER DELETE ON messages WHEN old.state <> 1 BEGIN
  INSERT INTO message_index(message_index, rowid, text) VALUES('delete', old.id, old.text);
END;
CREATE TRIGGER title_added AFTER INSERT ON conversations BEGIN
  INSERT INTO title_index(rowid, title) VALUES(new.id, new.title);
END;
CREATE TRIGGER title_changed AFTER UPDATE OF title ON conversations BEGIN
  INSERT INTO title_index(title_index, rowid, title) VALUES('delete', old.id, old.title);
  INSERT INTO title_index(rowid, title) VALUES(new.id, new.title);
END;
CREATE TRIGGER title_removed AFTER DELETE ON conversations BEGIN
  INSERT INTO title_index(title_index, rowid, title) VALUES('delete', old.id, old.title);
END;
PRAGMA application_id = 1195854915;
)sql",
};
static_assert(kChatApplicationId == 1195854915, "the number in the first step");

}  // namespace

Status configureChatDatabase(Database& database) {
    LOADER_CHECK(database.execute("PRAGMA journal_mode = WAL"));
    LOADER_CHECK(database.execute("PRAGMA synchronous = FULL"));
    // Full-text pages of a million messages want more than two megabytes.
    LOADER_CHECK(database.execute("PRAGMA cache_size = -16384"));
    return database.execute("PRAGMA foreign_keys = ON");
}

Result<std::int64_t> chatSchemaOf(Database& database) {
    LOADER_TRY(const auto owner, database.number("PRAGMA application_id"));
    LOADER_TRY(const auto schema, database.number("PRAGMA user_version"));
    if (owner.value_or(0) == kChatApplicationId) return schema.value_or(0);
    LOADER_TRY(const auto tables, database.number("SELECT count(*) FROM sqlite_schema"));
    if (owner.value_or(0) != 0 || schema.value_or(0) != 0 || tables.value_or(0) != 0)
        return Error(Errc::D305, {"file", "it is a database of another program"}, database.place());
    return std::int64_t{0};
}

Status upgradeChatSchema(Database& database, std::int64_t from) {
    for (std::int64_t schema = from; schema < kChatSchema; ++schema) {
        LOADER_TRY(Transaction transaction, Transaction::begin(database));
        // Another instance may have been quicker.
        LOADER_TRY(const std::int64_t present, chatSchemaOf(database));
        if (present > schema) continue;
        LOADER_CHECK(database.execute(kSteps[static_cast<std::size_t>(schema)]));
        LOADER_CHECK(database.execute("PRAGMA user_version = " + std::to_string(schema + 1)));
        LOADER_CHECK(transaction.commit());
    }
    return {};
}

Status rebuildChatIndex(Database& database) {
    LOADER_CHECK(database.execute("INSERT INTO message_index(message_index) VALUES('rebuild')"));
    return database.execute("INSERT INTO title_index(title_index) VALUES('rebuild')");
}

Result<std::string> checkChatDatabase(Database& database, bool whole) {
    LOADER_TRY(Statement check,
               database.prepare(whole ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)"));
    LOADER_TRY(const bool row, check.step());
    return row ? check.text(0) : std::string("the check says nothing");
}

std::string storableText(std::string_view text) {
    std::string kept = utf8::isValid(text) ? std::string(text) : utf8::sanitized(text);
    if (kept.find('\0') == std::string::npos) return kept;
    std::string clean;
    for (const char letter : kept) {
        if (letter == '\0') {
            utf8::append(clean, utf8::kReplacement);
        } else {
            clean += letter;
        }
    }
    return clean;
}

}  // namespace loader::app
