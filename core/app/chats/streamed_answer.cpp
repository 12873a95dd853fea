// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/chats/streamed_answer.h"

#include "core/engine/base/utf8.h"

namespace loader::app {

Result<StreamedAnswer> StreamedAnswer::begin(ChatStore& store, ChatId chat, const NewMessage& message) {
    LOADER_TRY(const MessageId id, store.beginAnswer(chat, message));
    return StreamedAnswer(store, id);
}

Status StreamedAnswer::add(std::string_view text, std::string_view reasoning) {
    m_text += text;
    m_reasoning += reasoning;
    if (std::chrono::steady_clock::now() - m_written < kInterval) return {};
    return write(false);
}

Status StreamedAnswer::finish() {
    LOADER_CHECK(write(true));
    return m_store->finishAnswer(m_message);
}

Status StreamedAnswer::write(bool all) {
    const std::size_t text = all ? m_text.size() : utf8::completePrefix(m_text);
    const std::size_t reasoning = all ? m_reasoning.size() : utf8::completePrefix(m_reasoning);
    m_written = std::chrono::steady_clock::now();
    if (text == 0 && reasoning == 0) return {};
    LOADER_CHECK(m_store->growAnswer(m_message, std::string_view(m_text).substr(0, text),
                                     std::string_view(m_reasoning).substr(0, reasoning)));
    m_text.erase(0, text);
    m_reasoning.erase(0, reasoning);
    ++m_writes;
    return {};
}

}  // namespace loader::app
