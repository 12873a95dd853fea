// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Chats that come from elsewhere: other programs, and files that exportChats() wrote.

#include <QCryptographicHash>
#include <algorithm>

#include "core/app/chats/chat_export.h"
#include "core/app/chats/chat_schema.h"
#include "core/app/storage/json_text.h"
#include "core/app/storage/small_file.h"

namespace loader::app {
namespace {

constexpr std::size_t kMostChatFileBytes = std::size_t{1} << 30;
constexpr std::size_t kMostChatFileValues = 100'000'000;
/// Chats of one transaction: few enough that a cancel is quick, enough that the disk is not waited for.
constexpr std::size_t kChatsPerTransaction = 200;
constexpr std::size_t kMostTitle = 80;

/// The first line of what the user asked first.
std::string titleFrom(const ImportedConversation& chat) {
    if (!chat.title.empty()) return chat.title;
    for (const ImportedMessage& message : chat.messages) {
        if (message.role != "user") continue;
        std::string line = message.text.substr(0, message.text.find('\n'));
        if (line.size() > kMostTitle) line = storableText(line.substr(0, kMostTitle)) + "\xE2\x80\xA6";
        if (!line.empty()) return line;
    }
    return "Chat";
}

/// Messages in an order in which each follows its predecessor. Those whose predecessor is missing or follows
/// itself begin a branch of their own.
struct OrderedMessages {
    std::vector<std::size_t> order;
    std::vector<std::optional<std::size_t>> parents;
    std::size_t repaired = 0;
};

OrderedMessages ordered(const std::vector<ImportedMessage>& messages) {
    OrderedMessages result;
    const std::size_t count = messages.size();
    enum class Mark : std::uint8_t { Fresh, OnTheWay, Placed };
    std::vector<Mark> marks(count, Mark::Fresh);
    result.parents.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        // Up to what is placed already, then back down: no recursion, a chat may be long.
        std::vector<std::size_t> way;
        std::optional<std::size_t> at = i;
        while (at && marks[*at] == Mark::Fresh) {
            marks[*at] = Mark::OnTheWay;
            way.push_back(*at);
            const auto parent = messages[*at].parent;
            const bool usable = parent && *parent < count && marks[*parent] != Mark::OnTheWay;
            if (parent && !usable) ++result.repaired;
            result.parents[*at] = usable ? parent : std::nullopt;
            at = result.parents[*at];
        }
        for (; !way.empty(); way.pop_back()) {
            marks[way.back()] = Mark::Placed;
            result.order.push_back(way.back());
        }
    }
    return result;
}

std::string digestOf(std::string_view text) {
    const QByteArrayView bytes(text.data(), static_cast<qsizetype>(text.size()));
    return QCryptographicHash::hash(bytes.toByteArray(), QCryptographicHash::Sha256).toHex().toStdString();
}

std::optional<std::int64_t> numberAt(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_integer()) return std::nullopt;
    return found->get<std::int64_t>();
}

std::string textAt(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flagAt(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

bool isRole(const std::string& role) {
    return role == "system" || role == "user" || role == "assistant" || role == "tool";
}

}  // namespace

/// The only writer that sets all columns of a chat.
class ChatImporter {
public:
    explicit ChatImporter(ChatStore& store) : m_store(store) {}

    /// A folder by its names, made where it is not there.
    Result<std::optional<FolderId>> folder(const std::vector<std::string>& names) {
        std::optional<FolderId> at;
        for (const std::string& name : names) {
            if (name.empty()) continue;
            LOADER_TRY(Statement * row,
                       m_store.statement("SELECT id FROM folders WHERE name = ?1 AND parent IS ?2"));
            row->bind(1, storableText(name)).bind(2, at);
            LOADER_TRY(const bool found, row->step());
            if (found) {
                at = row->integer(0);
                row->reset();
                continue;
            }
            LOADER_TRY(at, m_store.addFolder(name, at));
        }
        return at;
    }

    Result<bool> isKnown(std::string_view column, std::string_view value) {
        LOADER_TRY(Statement * row,
                   m_store.statement("SELECT 1 FROM conversations WHERE " + std::string(column) + " = ?1"));
        row->bind(1, value);
        LOADER_TRY(const bool found, row->step());
        row->reset();
        return found;
    }

    /// All columns but active. @param origin empty: none
    Result<ChatId> addChat(const Chat& chat, const std::string& origin) {
        LOADER_TRY(
            Statement * add,
            m_store.statement("INSERT INTO conversations(uuid, origin, title, folder, pinned, archived, "
                              "model, system_prompt, settings, created, changed, deleted) VALUES(?1, ?2, "
                              "?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"));
        const ChatSummary& summary = chat.summary;
        add->bind(1, chat.uuid);
        if (!origin.empty()) add->bind(2, origin);
        add->bind(3, storableText(summary.title)).bind(4, summary.folder);
        add->bind(5, summary.pinned).bind(6, summary.archived).bind(7, storableText(summary.model));
        add->bind(8, storableText(chat.systemPrompt)).bind(9, chat.settings.dump());
        add->bind(10, summary.created).bind(11, summary.changed).bind(12, summary.deleted);
        LOADER_CHECK(add->run());
        return m_store.m_database->lastRow();
    }

    Result<MessageId> addMessage(ChatId chat, const Message& message) {
        if (message.text.size() > kMostMessageBytes || message.reasoning.size() > kMostMessageBytes)
            return Error(Errc::D305, {"message", "it is too long"});
        LOADER_TRY(
            Statement * add,
            m_store.statement("INSERT INTO messages(conversation, parent, role, text, reasoning, model, "
                              "time, state, deleted) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"));
        add->bind(1, chat).bind(2, message.parent).bind(3, message.role);
        add->bind(4, storableText(message.text)).bind(5, storableText(message.reasoning));
        add->bind(6, storableText(message.model)).bind(7, message.time);
        add->bind(8, static_cast<int>(message.state)).bind(9, message.deleted);
        LOADER_CHECK(add->run());
        return m_store.m_database->lastRow();
    }

    Status setActive(ChatId chat, std::optional<MessageId> active) {
        LOADER_TRY(Statement * set, m_store.statement("UPDATE conversations SET active = ?1 WHERE id = ?2"));
        set->bind(1, active).bind(2, chat);
        return set->run();
    }

    Result<bool> add(const ImportedConversation& chat, ChatImportCounts& counts);
    Result<bool> addExported(const Json& chat, ChatImportCounts& counts);

private:
    Result<Chat> exportedChat(const Json& object);
    Status addExportedMessages(ChatId chat, const Json& object, ChatImportCounts& counts);

    ChatStore& m_store;
};

Result<bool> ChatImporter::add(const ImportedConversation& chat, ChatImportCounts& counts) {
    const std::string origin = storableText(chat.identity);
    if (origin.empty()) return Error(Errc::D305, {"chat", "it has no identity"});
    LOADER_TRY(const bool known, isKnown("origin", origin));
    if (known) {
        ++counts.present;
        return false;
    }
    Chat kept;
    kept.uuid = ChatStore::newUuid();
    kept.summary.title = titleFrom(chat);
    kept.systemPrompt = chat.systemPrompt;
    LOADER_TRY(kept.summary.folder, folder({chat.folder}));
    std::optional<std::int64_t> first = chat.created;
    std::optional<std::int64_t> last;
    for (const ImportedMessage& message : chat.messages) {
        if (!message.time) continue;
        if (!first) first = message.time;
        last = std::max(last.value_or(*message.time), *message.time);
        if (!message.model.empty()) kept.summary.model = message.model;
    }
    kept.summary.created = first.value_or(m_store.now());
    kept.summary.changed = last.value_or(kept.summary.created);
    LOADER_TRY(const ChatId id, addChat(kept, origin));
    const OrderedMessages order = ordered(chat.messages);
    std::vector<MessageId> ids(chat.messages.size());
    for (const std::size_t at : order.order) {
        const ImportedMessage& source = chat.messages[at];
        Message message;
        if (order.parents[at]) message.parent = ids[*order.parents[at]];
        message.role = isRole(source.role) ? source.role : "user";
        message.text = source.text;
        message.reasoning = source.reasoning;
        message.model = source.model;
        message.time = source.time;
        LOADER_TRY(ids[at], addMessage(id, message));
    }
    // The last one of the source is the end of what was shown there.
    if (!ids.empty()) LOADER_CHECK(setActive(id, ids.back()));
    counts.repaired += order.repaired;
    ++counts.added;
    return true;
}

Result<Chat> ChatImporter::exportedChat(const Json& object) {
    if (!object.is_object()) return Error(Errc::C501, {"a chat in it is no object"});
    Chat chat;
    chat.uuid = storableText(textAt(object, "id"));
    chat.summary.title = textAt(object, "title");
    chat.summary.pinned = flagAt(object, "pinned");
    chat.summary.archived = flagAt(object, "archived");
    chat.summary.model = textAt(object, "model");
    chat.systemPrompt = textAt(object, "system_prompt");
    chat.summary.created = numberAt(object, "created").value_or(m_store.now());
    chat.summary.changed = numberAt(object, "changed").value_or(chat.summary.created);
    chat.summary.deleted = numberAt(object, "deleted");
    const auto settings = object.find("settings");
    if (settings != object.end() && settings->is_object()) chat.settings = *settings;
    std::vector<std::string> names;
    const auto folders = object.find("folder");
    if (folders != object.end() && folders->is_array()) {
        for (const Json& name : *folders)
            if (name.is_string()) names.push_back(name.get<std::string>());
    }
    LOADER_TRY(chat.summary.folder, folder(names));
    return chat;
}

Status ChatImporter::addExportedMessages(ChatId chat, const Json& object, ChatImportCounts& counts) {
    const auto messages = object.find("messages");
    if (messages == object.end() || !messages->is_array()) return {};
    std::vector<MessageId> ids;
    for (const Json& source : *messages) {
        if (!source.is_object()) return Error(Errc::C501, {"a message in it is no object"});
        Message message;
        const auto parent = numberAt(source, "parent");
        const bool usable = parent && *parent >= 0 && static_cast<std::size_t>(*parent) < ids.size();
        if (parent && !usable) ++counts.repaired;
        if (usable) message.parent = ids[static_cast<std::size_t>(*parent)];
        message.role = textAt(source, "role");
        if (!isRole(message.role)) return Error(Errc::C501, {"a message in it has no role"});
        message.text = textAt(source, "text");
        message.reasoning = textAt(source, "reasoning");
        message.model = textAt(source, "model");
        message.time = numberAt(source, "time");
        message.deleted = numberAt(source, "deleted");
        // Nobody writes an answer that comes from a file.
        message.state =
            numberAt(source, "state").value_or(0) == 0 ? MessageState::Complete : MessageState::CutOff;
        LOADER_TRY(const MessageId id, addMessage(chat, message));
        ids.push_back(id);
    }
    const auto active = numberAt(object, "active");
    if (!active || *active < 0 || static_cast<std::size_t>(*active) >= ids.size()) return {};
    return setActive(chat, ids[static_cast<std::size_t>(*active)]);
}

Result<bool> ChatImporter::addExported(const Json& object, ChatImportCounts& counts) {
    LOADER_TRY(Chat chat, exportedChat(object));
    const std::string origin =
        "file:" + digestOf(object.dump(-1, ' ', false, Json::error_handler_t::replace));
    LOADER_TRY(const bool brought, isKnown("origin", origin));
    LOADER_TRY(const bool same, isKnown("uuid", chat.uuid));
    bool present = brought;
    if (same && !present) {
        LOADER_TRY(Statement * row, m_store.statement("SELECT id FROM conversations WHERE uuid = ?1"));
        row->bind(1, chat.uuid);
        LOADER_TRY(const bool found, row->step());
        const ChatId id = found ? row->integer(0) : 0;
        row->reset();
        LOADER_TRY(const std::string text, chatText(m_store, id, ChatFormat::JsonFile));
        present = text == object.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    if (present) {
        ++counts.present;
        return false;
    }
    if (same || chat.uuid.empty()) chat.uuid = ChatStore::newUuid();
    LOADER_TRY(const ChatId id, addChat(chat, origin));
    LOADER_CHECK(addExportedMessages(id, object, counts));
    ++counts.added;
    return true;
}

Result<bool> ChatStore::import(const ImportedConversation& chat, ChatImportCounts& counts) {
    LOADER_CHECK(writable());
    LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
    LOADER_TRY(const bool fresh, ChatImporter(*this).add(chat, counts));
    LOADER_CHECK(transaction.commit());
    return fresh;
}

Result<ChatImportCounts> ChatStore::importAll(std::span<const ImportedConversation> chats,
                                              const ChatProgress& progress) {
    LOADER_CHECK(writable());
    ChatImportCounts counts;
    ChatImporter importer(*this);
    for (std::size_t begin = 0; begin < chats.size(); begin += kChatsPerTransaction) {
        if (progress && !progress(begin, chats.size())) return counts;
        LOADER_TRY(Transaction transaction, Transaction::begin(*m_database));
        const std::size_t end = std::min(chats.size(), begin + kChatsPerTransaction);
        for (std::size_t i = begin; i < end; ++i) {
            LOADER_TRY(const bool fresh, importer.add(chats[i], counts));
            static_cast<void>(fresh);
        }
        LOADER_CHECK(transaction.commit());
    }
    if (progress) progress(chats.size(), chats.size());
    return counts;
}

Result<ChatImportCounts> importChatFile(ChatStore& store, const std::string& path,
                                        const ChatProgress& progress) {
    LOADER_TRY(std::string bytes, readSmallFile(path, kMostChatFileBytes));
    auto parsed = parseJson(bytes, {64, kMostChatFileValues});
    if (!parsed) return std::move(parsed).error().within(path);
    const Json& document = parsed->document;
    const bool ours = document.is_object() && textAt(document, "format") == kChatFileFormat;
    if (!ours) return Error(Errc::C501, {"it is no file of exported chats"}, path);
    const auto version = numberAt(document, "version").value_or(0);
    if (version < 1 || version > kChatFileVersion)
        return Error(Errc::D302, {std::to_string(version), std::to_string(kChatFileVersion)}, path);
    const auto chats = document.find("chats");
    if (chats == document.end() || !chats->is_array())
        return Error(Errc::C501, {"it has no list of chats"}, path);
    ChatImportCounts counts;
    ChatImporter importer(store);
    for (std::size_t i = 0; i < chats->size(); ++i) {
        if (progress && !progress(i, chats->size())) return counts;
        LOADER_TRY(Transaction transaction, Transaction::begin(store.database()));
        auto added = importer.addExported((*chats)[i], counts);
        if (!added) return std::move(added).error().within(path);
        LOADER_CHECK(transaction.commit());
    }
    return counts;
}

}  // namespace loader::app
