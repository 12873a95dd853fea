// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Chats as files: JSON with everything in it, and Markdown, HTML and plain text of the branch that is shown.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/app/chats/chat_store.h"

namespace loader::app {

enum class ChatFormat : std::uint8_t { JsonFile, Markdown, Html, PlainText };
/// "json", "md", "html" or "txt", or the ending of a file's name. @errors D305
Result<ChatFormat> chatFormatOf(std::string_view name);

inline constexpr std::string_view kChatFileFormat = "gguf-loader-chats";
inline constexpr int kChatFileVersion = 1;

/// Writes a file in one go: whole or not at all. @param chats empty: all of them, those in the bin too
/// @errors D303, D304, F804, F806, X002 asked to stop
Status exportChats(ChatStore& store, std::span<const ChatId> chats, ChatFormat format,
                   const std::string& path, const ChatProgress& progress = {});
/// One chat as such a file has it.
Result<std::string> chatText(ChatStore& store, ChatId chat, ChatFormat format);

/// A JSON file of exportChats(). A chat that is there already, in the bin perhaps, stays as it is; one that
/// differs comes beside it. A second time nothing changes. @errors C501, C502, D302, D303, D305
Result<ChatImportCounts> importChatFile(ChatStore& store, const std::string& path,
                                        const ChatProgress& progress = {});

}  // namespace loader::app
