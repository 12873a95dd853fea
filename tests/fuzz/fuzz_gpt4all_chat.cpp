// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A chat of GPT4All: what is read is no larger than what stands there, and is text.

#include <cstdint>
#include <cstdlib>

#include "core/engine/base/utf8.h"
#include "plugins/importers/gpt4all/chat_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto file = importers::gpt4all::readChatFile(bytes);
    if (!file) return 0;
    if (file->version < 1 || file->version > importers::gpt4all::kLastChatVersion) std::abort();
    std::size_t total = 0;
    for (std::size_t i = 0; i < file->chat.messages.size(); ++i) {
        const app::ImportedMessage& message = file->chat.messages[i];
        total += message.text.size() + message.reasoning.size();
        if (!utf8::isValid(message.text) || message.role.empty()) std::abort();
        if (message.parent.has_value() != (i > 0)) std::abort();
    }
    // Two bytes become three at most; names of files stand in a few more.
    if (total > size * 4 + 1000) std::abort();
    return 0;
}
