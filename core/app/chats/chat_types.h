// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the store of chats hands out and takes: plain values. docs/chats.md tells what they mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace loader::app {

using Json = nlohmann::ordered_json;

using ChatId = std::int64_t;
using MessageId = std::int64_t;
using FolderId = std::int64_t;

/// Longer messages are refused.
inline constexpr std::size_t kMostMessageBytes = std::size_t{64} << 20;
/// How long something stays in the bin.
inline constexpr std::int64_t kBinDays = 30;

struct ChatFolder {
    FolderId id = 0;
    std::optional<FolderId> parent;
    std::string name;
};

struct ChatSummary {
    ChatId id = 0;
    std::string title;
    std::optional<FolderId> folder;
    bool pinned = false;
    bool archived = false;
    /// Path or name of the model that was used last; may be empty.
    std::string model;
    /// Milliseconds since 1970, as all times here.
    std::int64_t created = 0;
    std::int64_t changed = 0;
    /// Since when it is in the bin.
    std::optional<std::int64_t> deleted;
};

struct Chat {
    ChatSummary summary;
    /// Stays the same through export and import.
    std::string uuid;
    std::string systemPrompt;
    /// {"sampling.temperature": 0.5}: settings that a model may have of its own.
    Json settings = Json::object();
    /// The last message of the branch that is shown.
    std::optional<MessageId> active;
};

struct NewChat {
    std::string title;
    std::optional<FolderId> folder;
    std::string model;
    std::string systemPrompt;
    Json settings = Json::object();
};

enum class MessageState : std::uint8_t {
    Complete = 0,
    /// An answer that is being written.
    Streaming = 1,
    /// An answer that was being written when the program ended.
    CutOff = 2,
};

struct NewMessage {
    /// "system", "user", "assistant" or "tool".
    std::string role;
    std::string text;
    std::string reasoning;
    std::string model;
    /// Now where there is none.
    std::optional<std::int64_t> time;
};

struct Message {
    MessageId id = 0;
    std::optional<MessageId> parent;
    std::string role;
    std::string text;
    std::string reasoning;
    std::string model;
    std::optional<std::int64_t> time;
    MessageState state = MessageState::Complete;
    std::optional<std::int64_t> deleted;
    /// Branches at this place, this one included, and which one this is, from 0.
    int branches = 1;
    int branch = 0;
};

struct ChatListOptions {
    enum class Shelf : std::uint8_t { Shown, Archived, Bin };
    Shelf shelf = Shelf::Shown;
    /// Nothing lists those of every folder; 0 those that are in none.
    std::optional<FolderId> folder;
    std::int64_t limit = -1;
    std::int64_t offset = 0;
};

struct TextMark {
    /// Bytes.
    std::size_t offset = 0;
    std::size_t length = 0;
};

struct SearchOptions {
    /// Nothing searches everywhere.
    std::optional<ChatId> chat;
    std::size_t limit = 50;
    /// Only messages that are older than this one: the next page.
    std::optional<MessageId> before;
    /// The whole text instead of a piece of it, for finding within one chat.
    bool wholeText = false;
};

struct SearchHit {
    ChatId chat = 0;
    /// Nothing: the title itself.
    std::optional<MessageId> message;
    std::string title;
    /// Of the message or of the title, with the places of the words that were looked for.
    std::string snippet;
    std::vector<TextMark> marks;
    std::optional<std::int64_t> time;
};

struct SearchResult {
    /// Titles first, then messages, newest first.
    std::vector<SearchHit> hits;
    bool more = false;
};

/// What became of a database that was found damaged.
struct SalvageReport {
    /// Where the damaged one lies now.
    std::string setAside;
    /// What was wrong with it.
    std::string fault;
    std::size_t folders = 0;
    std::size_t chats = 0;
    std::size_t messages = 0;
    /// Of these, what the newest backup had and the damaged database not.
    std::size_t fromBackup = 0;
    /// Messages whose chat or predecessor was lost; they are kept in a chat of their own or at its root.
    std::size_t orphans = 0;
};

struct ChatImportCounts {
    std::size_t added = 0;
    /// Were there from an earlier import, in the bin perhaps.
    std::size_t present = 0;
    /// Messages whose predecessor was missing or followed itself: they begin a branch of their own.
    std::size_t repaired = 0;
};

}  // namespace loader::app
