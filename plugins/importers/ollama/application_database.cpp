// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// db.sqlite of the application. Columns came one by one over its versions: what is not there is empty.

#include <map>
#include <set>

#include "core/app/storage/foreign_database.h"
#include "plugins/importers/ollama/parameters.h"
#include "plugins/importers/ollama/readers.h"

namespace loader::importers::ollama {
namespace {

using app::Database;
using app::Statement;

/// More chats than people have.
constexpr std::size_t kMostChats = 1'000'000;

Json valueOf(const Statement& row, int column) {
    switch (row.columnType(column)) {
        case 1: return row.integer(column);
        case 2: return row.real(column);
        case 5: return nullptr;
        default: return row.text(column);
    }
}

std::set<std::string> columnsOf(Database& database, const std::string& table) {
    std::set<std::string> names;
    auto rows = database.prepare("SELECT name FROM pragma_table_info('" + table + "')");
    while (rows) {
        const auto more = rows->step();
        if (!more || !*more) break;
        names.insert(rows->text(0));
    }
    return names;
}

/// The column, or an empty text where this version has none.
std::string column(const std::set<std::string>& columns, const std::string& name) {
    return columns.count(name) != 0 ? name : "''";
}

/// Milliseconds since 1970 of a time in any form that SQLite knows.
std::string milliseconds(const std::string& name) {
    return "CAST(round((julianday(" + name + ") - 2440587.5) * 86400000.0) AS INTEGER)";
}

class ApplicationReader {
public:
    ApplicationReader(Database& database, const std::string& path, app::ImportSink& sink, CancelToken cancel)
        : m_database(database), m_walk(path, sink), m_cancel(cancel) {}

    Status read() {
        LOADER_CHECK(readRows("settings", false));
        LOADER_CHECK(readRows("users", true));
        return readChats();
    }

private:
    /// Every column of every row.
    Status readRows(const std::string& table, bool personal) {
        if (columnsOf(m_database, table).empty()) return {};
        LOADER_TRY(Statement rows, m_database.prepare("SELECT * FROM " + table));
        for (std::size_t row = 0;; ++row) {
            LOADER_TRY(const bool more, rows.step());
            if (!more) return {};
            const std::string prefix = row == 0 ? table : table + "[" + std::to_string(row) + "]";
            for (int i = 0; i < rows.columns(); ++i) {
                const std::string name = rows.columnName(i);
                const Json value = valueOf(rows, i);
                if (personal) {
                    m_walk.secret(joinedKey(prefix, name), value);
                } else {
                    m_walk.member(applicationRules(), prefix, name, value, app::SettingOwner::global());
                }
            }
        }
    }

    Status readChats() {
        const auto chatColumns = columnsOf(m_database, "chats");
        const auto columns = columnsOf(m_database, "messages");
        if (chatColumns.empty() || columns.empty()) return {};
        const bool attached = !columnsOf(m_database, "attachments").empty();
        const bool tools = !columnsOf(m_database, "tool_calls").empty();
        LOADER_TRY(Statement chats,
                   m_database.prepare("SELECT id, " + column(chatColumns, "title") + ", " +
                                      milliseconds("created_at") + " FROM chats ORDER BY created_at, id"));
        LOADER_TRY(m_messages,
                   m_database.prepare(
                       "SELECT id, role, " + column(columns, "content") + ", " + column(columns, "thinking") +
                       ", " + column(columns, "model_name") + ", " + milliseconds("created_at") + ", " +
                       column(columns, "tool_result") + " FROM messages WHERE chat_id = ?1 ORDER BY id"));
        if (tools) {
            LOADER_TRY(m_calls,
                       m_database.prepare("SELECT function_name, function_arguments, function_result FROM "
                                          "tool_calls WHERE message_id = ?1 ORDER BY id"));
        }
        if (attached) {
            LOADER_TRY(m_attachments,
                       m_database.prepare("SELECT count(*) FROM attachments a JOIN messages m ON m.id "
                                          "= a.message_id WHERE m.chat_id = ?1"));
        }
        m_hasCalls = tools;
        m_hasAttachments = attached;
        for (std::size_t i = 0; i < kMostChats; ++i) {
            LOADER_CHECK(m_cancel.check());
            LOADER_TRY(const bool more, chats.step());
            if (!more) break;
            LOADER_CHECK(readChat(chats));
        }
        return readOrphans();
    }

    Status readChat(const Statement& row) {
        const std::string id = row.text(0);
        app::ImportedConversation chat;
        chat.identity = "ollama:" + id;
        chat.title = row.text(1);
        chat.folder = "Ollama";
        chat.created = row.optionalInteger(2);
        m_messages.reset();
        m_messages.bind(1, id);
        while (true) {
            LOADER_TRY(const bool more, m_messages.step());
            if (!more) break;
            LOADER_CHECK(addMessage(chat));
        }
        std::string note;
        if (m_hasAttachments) {
            m_attachments.reset();
            m_attachments.bind(1, id);
            LOADER_TRY(const bool more, m_attachments.step());
            if (more && m_attachments.integer(0) > 0)
                note = std::to_string(m_attachments.integer(0)) + " attachments are left out";
        }
        m_walk.sink().conversation(m_walk.at("chats." + id), std::move(chat), note);
        return {};
    }

    Status addMessage(app::ImportedConversation& chat) {
        app::ImportedMessage message;
        message.role = m_messages.text(1);
        message.text = m_messages.text(2);
        message.reasoning = m_messages.text(3);
        message.model = m_messages.text(4);
        message.time = m_messages.optionalInteger(5);
        const std::string result = m_messages.text(6);
        if (message.text.empty()) message.text = result;
        const std::int64_t id = m_messages.integer(0);
        append(chat, std::move(message));
        if (!m_hasCalls) return {};
        m_calls.reset();
        m_calls.bind(1, id);
        while (true) {
            LOADER_TRY(const bool more, m_calls.step());
            if (!more) return {};
            app::ImportedMessage call;
            call.role = "tool";
            call.text = m_calls.text(0) + "(" + m_calls.text(1) + ")";
            if (!m_calls.isNull(2)) call.text += "\n" + m_calls.text(2);
            append(chat, std::move(call));
        }
    }

    static void append(app::ImportedConversation& chat, app::ImportedMessage message) {
        if (!chat.messages.empty()) message.parent = chat.messages.size() - 1;
        chat.messages.push_back(std::move(message));
    }

    Status readOrphans() {
        LOADER_TRY(
            const auto count,
            m_database.number("SELECT count(*) FROM messages WHERE chat_id NOT IN (SELECT id FROM chats)"));
        if (count.value_or(0) > 0)
            m_walk.ignore("messages", *count, "These messages are of chats that were deleted there");
        return {};
    }

    Database& m_database;
    KeyWalk m_walk;
    CancelToken m_cancel;
    Statement m_messages;
    Statement m_calls;
    Statement m_attachments;
    bool m_hasCalls = false;
    bool m_hasAttachments = false;
};

}  // namespace

Status readApplicationDatabase(const std::string& path, app::ImportSink& sink, CancelToken cancel) {
    LOADER_TRY(const auto database, app::openForeignDatabase(path));
    database->stopAt(std::nullopt, cancel);
    const Status read = ApplicationReader(*database, path, sink, cancel).read();
    if (read || read.error().code() == Errc::X002) return read;
    return app::foreignFailure(read.error());
}

}  // namespace loader::importers::ollama
