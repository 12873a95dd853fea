// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/chats/chat_export.h"

#include <map>

#include "core/app/chats/chat_writer.h"
#include "core/engine/base/atomic_file.h"

namespace loader::app {
namespace {

/// Names from the outermost folder inwards; a circle in a damaged file ends.
std::vector<std::string> folderNames(const std::vector<ChatFolder>& folders, std::optional<FolderId> folder) {
    std::vector<std::string> names;
    for (std::size_t depth = 0; folder && depth <= folders.size(); ++depth) {
        const auto found = std::find_if(folders.begin(), folders.end(),
                                        [&](const ChatFolder& one) { return one.id == *folder; });
        if (found == folders.end()) break;
        names.insert(names.begin(), found->name);
        folder = found->parent;
    }
    return names;
}

Result<std::vector<ChatId>> everyChat(ChatStore& store) {
    LOADER_TRY(Statement rows, store.database().prepare("SELECT id FROM conversations ORDER BY id"));
    std::vector<ChatId> all;
    while (true) {
        LOADER_TRY(const bool more, rows.step());
        if (!more) return all;
        all.push_back(rows.integer(0));
    }
}

Status write(AtomicFile& file, std::string_view text) {
    return file.append({reinterpret_cast<const std::byte*>(text.data()), text.size()});
}

std::string beginOf(ChatFormat format) {
    if (format == ChatFormat::Html) return htmlPageBegin();
    if (format != ChatFormat::JsonFile) return {};
    return "{\"format\":\"" + std::string(kChatFileFormat) +
           "\",\"version\":" + std::to_string(kChatFileVersion) + ",\"chats\":[";
}

std::string endOf(ChatFormat format) {
    if (format == ChatFormat::Html) return htmlPageEnd();
    return format == ChatFormat::JsonFile ? "\n]}\n" : "";
}

std::string betweenOf(ChatFormat format, bool first) {
    if (format == ChatFormat::JsonFile) return first ? "\n" : ",\n";
    return first ? "" : "\n";
}

}  // namespace

Result<ChatFormat> chatFormatOf(std::string_view name) {
    const std::string_view word = name.substr(name.rfind('.') + 1);
    if (word == "json") return ChatFormat::JsonFile;
    if (word == "md" || word == "markdown") return ChatFormat::Markdown;
    if (word == "html" || word == "htm") return ChatFormat::Html;
    if (word == "txt" || word == "text") return ChatFormat::PlainText;
    return Error(Errc::D305, {"format", "it is json, md, html or txt"});
}

Result<std::string> chatText(ChatStore& store, ChatId id, ChatFormat format) {
    LOADER_TRY(const Chat chat, store.chat(id));
    if (format == ChatFormat::JsonFile) {
        LOADER_TRY(const auto folders, store.folders());
        LOADER_TRY(const auto tree, store.tree(id, true));
        return chatJson(chat, folderNames(folders, chat.summary.folder), tree).dump();
    }
    LOADER_TRY(const auto branch, store.branch(id));
    if (format == ChatFormat::Markdown) return chatMarkdown(chat, branch);
    return format == ChatFormat::Html ? chatHtml(chat, branch) : chatPlainText(chat, branch);
}

Status exportChats(ChatStore& store, std::span<const ChatId> chats, ChatFormat format,
                   const std::string& path, const ChatProgress& progress) {
    std::vector<ChatId> all(chats.begin(), chats.end());
    if (all.empty()) {
        LOADER_TRY(all, everyChat(store));
    }
    LOADER_TRY(const auto file, AtomicFile::create(path));
    LOADER_CHECK(write(*file, beginOf(format)));
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (progress && !progress(i, all.size())) return Error(Errc::X002, {}, path);
        LOADER_TRY(const std::string text, chatText(store, all[i], format));
        LOADER_CHECK(write(*file, betweenOf(format, i == 0) + text));
    }
    LOADER_CHECK(write(*file, endOf(format)));
    return file->commit();
}

}  // namespace loader::app
