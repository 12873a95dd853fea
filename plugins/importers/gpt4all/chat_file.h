// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A .chat file, versions 1 to 12, without Qt: numbers big-endian, texts as UTF-16 with their length in bytes.
// @source gpt4all gpt4all-chat/src/{chat,chatllm,chatmodel,tool}.cpp; Qt: "Serializing Qt Data Types"
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/app/import/import_sink.h"
#include "core/engine/base/result.h"

namespace loader::importers::gpt4all {

inline constexpr std::uint32_t kChatMagic = 0xF5D553CC;
inline constexpr int kLastChatVersion = 12;

struct ChatFile {
    int version = 0;
    /// What the program calls it; may be empty.
    std::string id;
    app::ImportedConversation chat;
    /// Of documents and attached files that are not taken over.
    std::size_t excerpts = 0;
    std::size_t attachments = 0;
};

bool isChatFile(std::string_view bytes);
/// @errors C501 another version, cut off, or with what no such file has
Result<ChatFile> readChatFile(std::string_view bytes);

}  // namespace loader::importers::gpt4all
