// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What one chat looks like in each format of chat_export.h.
#pragma once

#include <string>
#include <vector>

#include "core/app/chats/chat_types.h"

namespace loader::app {

/// The same chat gives the same JSON wherever it is stored: numbers of rows are not in it.
/// @param folders names from the outermost folder to the one the chat is in
/// @param tree all messages, deleted ones too, each after its predecessor
Json chatJson(const Chat& chat, const std::vector<std::string>& folders, const std::vector<Message>& tree);
std::string chatMarkdown(const Chat& chat, const std::vector<Message>& branch);
/// The part of a page; htmlPage() goes around it. No text of a chat becomes markup.
std::string chatHtml(const Chat& chat, const std::vector<Message>& branch);
std::string chatPlainText(const Chat& chat, const std::vector<Message>& branch);

std::string htmlPageBegin();
std::string htmlPageEnd();
std::string htmlEscaped(std::string_view text);

}  // namespace loader::app
