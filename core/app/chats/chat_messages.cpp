// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The part of ChatStore that knows messages and their branches.

#include <algorithm>
#include <array>
#include <map>

#include "core/app/chats/chat_schema.h"
#include "core/app/chats/chat_store.h"

namespace loader::app {
namespace {

constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};
constexpr std::string_view kMessageColumns = "id, parent, role, text, reasoning, model, time, state, deleted";

Error noSuchMessage() {
    return Error(Errc::D304, {"message"});
}

Message messageOf(const Statement& row) {
    Message message;
    message.id = row.integer(0);
    message.parent = row.optionalInteger(1);
    message.role = row.text(2);
    message.text = row.text(3);
    message.reasoning = row.text(4);
    message.model = row.text(5);
    message.time = row.optionalInteger(6);
    message.state = static_cast<MessageState>(std::clamp<std::int64_t>(row.integer(7), 0, 2));
    message.deleted = row.optionalInteger(8);
    return message;
}

Status usable(const NewMessage& message) {
    if (std::find(kRoles.begin(), kRoles.end(), message.role) == kRoles.end())
        return Error(Errc::D305, {"role", "it is system, user, assistant or tool"});
    if (message.text.size() > kMostMessageBytes || message.reasoning.size() > kMostMessageBytes)
        return Error(Errc::D305,
                     {"message", "it is longer than " + std::to_string(kMostMessageBytes) + " bytes"});
    return {};
}

}  // namespace

Result<std::optional<MessageId>> ChatStore::activeOf(ChatId chat) {
    LOADER_TRY(Statement * row, statement("SELECT active FROM conversations WHERE id = ?1"));
    row->bind(1, chat);
    LOADER_TRY(const bool found, row->step());
    if (!found) return Error(Errc::D304, {"chat"});
    const auto active = row->optionalInteger(0);
    row->reset();
    return active;
}

Result<std::int64_t> ChatStore::insertMessage(ChatId chat, std::optional<MessageId> parent,
                                              const NewMessage& message, MessageState state) {
    LOADER_CHECK(usable(message));
    LOADER_TRY(Statement * add,
               statement("INSERT INTO messages(conversation, parent, role, text, reasoning, model, time, "
                         "state) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
    add->bind(1, chat).bind(2, parent).bind(3, message.role);
    add->bind(4, storableText(message.text)).bind(5, storableText(message.reasoning));
    add->bind(6, storableText(message.model)).bind(7, message.time.value_or(now()));
    add->bind(8, static_cast<int>(state));
    LOADER_CHECK(add->run());
    return m_database->lastRow();
}

Status ChatStore::touch(ChatId chat, std::optional<MessageId> active) {
    LOADER_TRY(Statement * mark,
               statement("UPDATE conversations SET active = ?1, changed = ?2 WHERE id = ?3"));
    mark->bind(1, active).bind(2, now()).bind(3, chat);
    return mark->run();
}

Result<MessageId> ChatStore::append(ChatId chat, const NewMessage& message) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_TRY(const auto parent, activeOf(chat));
    LOADER_TRY(const MessageId id, insertMessage(chat, parent, message, MessageState::Complete));
    LOADER_CHECK(touch(chat, id));
    LOADER_CHECK(transaction.commit());
    return id;
}

Result<MessageId> ChatStore::edit(MessageId message, std::string_view text) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_TRY(Statement * old,
               statement("SELECT conversation, parent, role, model FROM messages WHERE id = ?1"));
    old->bind(1, message);
    LOADER_TRY(const bool found, old->step());
    if (!found) return noSuchMessage();
    const ChatId chat = old->integer(0);
    const auto parent = old->optionalInteger(1);
    NewMessage branch{old->text(2), std::string(text), {}, old->text(3), {}};
    old->reset();
    LOADER_TRY(const MessageId id, insertMessage(chat, parent, branch, MessageState::Complete));
    LOADER_CHECK(touch(chat, id));
    LOADER_CHECK(transaction.commit());
    return id;
}

Result<std::vector<Message>> ChatStore::tree(ChatId chat, bool deleted) {
    LOADER_TRY(const auto active, activeOf(chat));
    static_cast<void>(active);
    LOADER_TRY(Statement * rows, statement("SELECT " + std::string(kMessageColumns) +
                                           " FROM messages WHERE conversation = ?1 " +
                                           (deleted ? "" : "AND deleted IS NULL ") + "ORDER BY id"));
    rows->bind(1, chat);
    std::vector<Message> all;
    // Branches of one place share their predecessor; 0 is the root.
    std::map<MessageId, std::vector<std::size_t>> siblings;
    while (true) {
        LOADER_TRY(const bool more, rows->step());
        if (!more) break;
        all.push_back(messageOf(*rows));
        if (!all.back().deleted) siblings[all.back().parent.value_or(0)].push_back(all.size() - 1);
    }
    rows->reset();
    for (const auto& [parent, places] : siblings) {
        for (std::size_t i = 0; i < places.size(); ++i) {
            all[places[i]].branches = static_cast<int>(places.size());
            all[places[i]].branch = static_cast<int>(i);
        }
    }
    return all;
}

Result<std::vector<Message>> ChatStore::branch(ChatId chat) {
    LOADER_TRY(const auto active, activeOf(chat));
    LOADER_TRY(std::vector<Message> all, tree(chat));
    std::map<MessageId, std::size_t> places;
    for (std::size_t i = 0; i < all.size(); ++i)
        places.emplace(all[i].id, i);
    std::vector<Message> shown;
    std::optional<MessageId> next = active;
    // A predecessor that was seen already would be a circle in a damaged file.
    while (next) {
        const auto found = places.find(*next);
        if (found == places.end()) break;
        next = all[found->second].parent;
        shown.push_back(std::move(all[found->second]));
        places.erase(found);
    }
    std::reverse(shown.begin(), shown.end());
    return shown;
}

Status ChatStore::show(MessageId message) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_TRY(Statement * row,
               statement("SELECT conversation FROM messages WHERE id = ?1 AND deleted IS NULL"));
    row->bind(1, message);
    LOADER_TRY(const bool found, row->step());
    if (!found) return noSuchMessage();
    const ChatId chat = row->integer(0);
    row->reset();
    LOADER_TRY(Statement * next,
               statement("SELECT max(id) FROM messages WHERE parent = ?1 AND deleted IS NULL AND id > ?1"));
    MessageId end = message;
    while (true) {
        next->reset();
        next->bind(1, end);
        LOADER_TRY(const bool any, next->step());
        if (!any || next->isNull(0)) break;
        end = next->integer(0);
    }
    next->reset();
    LOADER_CHECK(run({"UPDATE conversations SET active = ?1 WHERE id = ?2", {end, chat}}));
    return transaction.commit();
}

Status ChatStore::deleteMessage(MessageId message) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_TRY(Statement * row, statement("SELECT m.conversation, m.parent, c.active FROM messages m JOIN "
                                          "conversations c ON c.id = m.conversation WHERE m.id = ?1 AND "
                                          "m.deleted IS NULL"));
    row->bind(1, message);
    LOADER_TRY(const bool found, row->step());
    if (!found) return noSuchMessage();
    const ChatId chat = row->integer(0);
    const auto parent = row->optionalInteger(1);
    const auto active = row->optionalInteger(2);
    row->reset();
    // UNION ends at what was seen already.
    LOADER_TRY(
        Statement * mark,
        statement("WITH RECURSIVE below(id) AS (SELECT ?1 UNION SELECT m.id FROM messages m JOIN below "
                  "ON m.parent = below.id) UPDATE messages SET deleted = ?2 WHERE id IN below AND "
                  "deleted IS NULL RETURNING id"));
    mark->bind(1, message).bind(2, now());
    Undo back{"delete message", {}};
    bool showed = false;
    while (true) {
        LOADER_TRY(const bool more, mark->step());
        if (!more) break;
        const MessageId gone = mark->integer(0);
        showed = showed || active == gone;
        back.steps.push_back({"UPDATE messages SET deleted = NULL WHERE id = ?1", {gone}});
    }
    mark->reset();
    const std::string setActive = "UPDATE conversations SET active = ?1 WHERE id = ?2";
    if (showed) {
        back.steps.push_back({setActive, {*active, chat}});
        LOADER_TRY(Statement * beside,
                   statement("SELECT max(id) FROM messages WHERE conversation = ?1 AND parent IS ?2 AND "
                             "deleted IS NULL"));
        beside->bind(1, chat).bind(2, parent);
        LOADER_TRY(const bool any, beside->step());
        const auto other = any ? beside->optionalInteger(0) : std::nullopt;
        beside->reset();
        const auto place = other ? other : parent;
        LOADER_CHECK(run({setActive, {place ? Value(*place) : Value(), chat}}));
    }
    LOADER_CHECK(transaction.commit());
    m_undo.push_back(std::move(back));
    return {};
}

// --- answers that grow ---

Result<MessageId> ChatStore::beginAnswer(ChatId chat, const NewMessage& message) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_TRY(const auto parent, activeOf(chat));
    LOADER_TRY(const MessageId id, insertMessage(chat, parent, message, MessageState::Streaming));
    LOADER_CHECK(touch(chat, id));
    LOADER_CHECK(transaction.commit());
    return id;
}

Status ChatStore::resumeAnswer(MessageId message) {
    LOADER_CHECK(writable());
    LOADER_CHECK(run({"UPDATE messages SET state = 1 WHERE id = ?1 AND state <> 1", {message}}));
    return {};
}

Status ChatStore::growAnswer(MessageId message, std::string_view text, std::string_view reasoning) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    // Another instance that started meanwhile took it for cut off.
    LOADER_CHECK(run({"UPDATE messages SET state = 1 WHERE id = ?1 AND state = 2", {message}}));
    LOADER_TRY(Statement * length,
               statement("SELECT length(CAST(text AS BLOB)), length(CAST(reasoning AS BLOB)) FROM messages "
                         "WHERE id = ?1 AND state = 1"));
    length->bind(1, message);
    LOADER_TRY(const bool found, length->step());
    if (!found) return noSuchMessage();
    const auto total = static_cast<std::size_t>(length->integer(0)) + text.size();
    const auto thought = static_cast<std::size_t>(length->integer(1)) + reasoning.size();
    length->reset();
    if (total > kMostMessageBytes || thought > kMostMessageBytes)
        return Error(Errc::D305,
                     {"message", "it is longer than " + std::to_string(kMostMessageBytes) + " bytes"});
    LOADER_TRY(Statement * grow,
               statement("UPDATE messages SET text = text || ?1, reasoning = reasoning || ?2 WHERE id = ?3"));
    grow->bind(1, storableText(text)).bind(2, storableText(reasoning)).bind(3, message);
    LOADER_CHECK(grow->run());
    return transaction.commit();
}

Status ChatStore::finishAnswer(MessageId message, MessageState state) {
    LOADER_CHECK(writable());
    if (state == MessageState::Streaming)
        return Error(Errc::D305, {"state", "an answer cannot end like this"});
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_CHECK(run({"UPDATE messages SET state = ?1, time = ?2 WHERE id = ?3 AND state <> 0",
                      {static_cast<std::int64_t>(state), now(), message}}));
    if (m_database->changes() == 0) return noSuchMessage();
    LOADER_CHECK(
        run({"UPDATE conversations SET changed = ?1 WHERE id = (SELECT conversation FROM messages "
             "WHERE id = ?2)",
             {now(), message}}));
    return transaction.commit();
}

}  // namespace loader::app
