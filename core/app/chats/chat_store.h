// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Conversations in a SQLite database: folders, a tree of messages per chat, a bin, full-text search, backups.
// Nothing that was written is ever overwritten: an edit makes a branch. Rationale: docs/adr/0022.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/app/chats/chat_types.h"
#include "core/app/import/import_sink.h"
#include "core/app/storage/database.h"

namespace loader::app {

/// Done of all; false asks to stop, and what is done stays.
using ChatProgress = std::function<bool(std::size_t done, std::size_t all)>;

/// @errors of all: D301 the database is damaged, D302 a newer program wrote it and it is only read, D303
///         locked, full, not permitted, D304 there is no such chat, message or folder, D305 not usable
/// @thread confined to one thread; several stores may have the same file open
class ChatStore {
public:
    using Clock = std::function<std::int64_t()>;

    /// Makes the file where there is none; sets a damaged one aside and keeps what can be read of it.
    /// @param backups the folder of daily backups; may not exist
    static Result<std::unique_ptr<ChatStore>> open(const std::string& path, const std::string& backups = {},
                                                   Clock clock = {});

    /// Changes are refused with D302.
    bool readOnly() const { return m_readOnly; }
    /// Nothing where the database was sound.
    const std::optional<SalvageReport>& salvaged() const { return m_salvaged; }
    /// False where the two seconds for it were not enough.
    bool checkedWhole() const { return m_checkedWhole; }
    /// All of it, however long it takes. @errors D301, X002
    Status checkNow(CancelToken cancel);

    Result<FolderId> addFolder(std::string_view name, std::optional<FolderId> parent = {});
    Status renameFolder(FolderId folder, std::string_view name);
    /// What is in it moves to where it was.
    Status deleteFolder(FolderId folder);
    Result<std::vector<ChatFolder>> folders();

    Result<ChatId> addChat(const NewChat& chat);
    /// Pinned ones first, then those that changed last.
    Result<std::vector<ChatSummary>> list(const ChatListOptions& options = {});
    Result<Chat> chat(ChatId chat);
    Status rename(ChatId chat, std::string_view title);
    Status setPinned(ChatId chat, bool pinned);
    Status setArchived(ChatId chat, bool archived);
    Status setModel(ChatId chat, std::string_view model);
    Status setSystemPrompt(ChatId chat, std::string_view prompt);
    /// @errors D305 a key that no model may have of its own, or a value that it cannot have
    Status setSettings(ChatId chat, const Json& settings);
    Status moveTo(ChatId chat, std::optional<FolderId> folder);
    Status moveToBin(std::span<const ChatId> chats);
    Status restore(std::span<const ChatId> chats);
    /// Removes for good what has been in the bin for longer than kBinDays, or everything in it. @return chats
    Result<std::size_t> emptyBin(bool everything = false);

    /// At the end of the branch that is shown, in one transaction.
    Result<MessageId> append(ChatId chat, const NewMessage& message);
    /// As another branch beside the message, which stays as it is. What follows it is not copied.
    Result<MessageId> edit(MessageId message, std::string_view text);
    /// The branch that is shown, from its first message to its last.
    Result<std::vector<Message>> branch(ChatId chat);
    /// The whole tree, each after its predecessor. @param deleted those in the bin too
    Result<std::vector<Message>> tree(ChatId chat, bool deleted = false);
    /// Shows the branch that leads through this message to its newest end.
    Status show(MessageId message);
    /// To the bin, with all that follows it.
    Status deleteMessage(MessageId message);

    /// An answer that grows. @return the empty message at the end of the branch that is shown
    Result<MessageId> beginAnswer(ChatId chat, const NewMessage& message);
    /// Goes on with an answer that was cut off.
    Status resumeAnswer(MessageId message);
    /// What came since the last call.
    Status growAnswer(MessageId message, std::string_view text, std::string_view reasoning = {});
    Status finishAnswer(MessageId message, MessageState state = MessageState::Complete);

    /// Words that all must occur; "two words" in quotes side by side; the last one may be a beginning.
    Result<SearchResult> search(std::string_view words, const SearchOptions& options = {});

    /// Takes the last change of this session back. @return what it was: "rename chat"; empty where there is
    /// nothing left
    Result<std::string> undo();

    /// One chat of another program. @return true where it is new
    Result<bool> import(const ImportedConversation& chat, ChatImportCounts& counts);
    /// Many of them: what is done when somebody cancels stays, and a second run goes on behind it.
    Result<ChatImportCounts> importAll(std::span<const ImportedConversation> chats,
                                       const ChatProgress& progress = {});

    /// Makes today's copy where there is none, and keeps the newest seven. @return its path; empty where
    /// there was one already
    Result<std::string> backUp(CancelToken cancel = {});

    Database& database() { return *m_database; }
    std::int64_t now() const { return m_clock(); }
    static std::string newUuid();

private:
    using Value = std::variant<std::monostate, std::int64_t, std::string>;
    struct Step {
        std::string sql;
        std::vector<Value> values;
    };
    struct Undo {
        std::string label;
        std::vector<Step> steps;
    };
    friend class ChatImporter;

    ChatStore(std::unique_ptr<Database> database, std::string backups, Clock clock)
        : m_database(std::move(database)), m_backups(std::move(backups)), m_clock(std::move(clock)) {}
    Status prepareFile();
    Status finishCutOffAnswers();
    Status writable() const;
    /// Prepared once, ready for parameters.
    Result<Statement*> statement(std::string_view sql);
    Result<std::int64_t> insertMessage(ChatId chat, std::optional<MessageId> parent,
                                       const NewMessage& message, MessageState state);
    Status touch(ChatId chat, std::optional<MessageId> active);
    /// One column of one chat, with its undo.
    Status change(ChatId chat, std::string_view column, const Value& value, std::string label);
    Status run(const Step& step);
    Status requireFolder(FolderId folder);
    Result<std::optional<MessageId>> activeOf(ChatId chat);

    std::unique_ptr<Database> m_database;
    std::string m_backups;
    Clock m_clock;
    bool m_readOnly = false;
    bool m_checkedWhole = true;
    std::optional<SalvageReport> m_salvaged;
    std::vector<Undo> m_undo;
    // After m_database, so that they end before it.
    std::map<std::string, Statement, std::less<>> m_statements;
};

}  // namespace loader::app
