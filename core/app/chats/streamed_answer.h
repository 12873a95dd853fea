// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// An answer on its way into the store: pieces are gathered and written at most every half second, so that a
// crash costs no more than that.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/app/chats/chat_store.h"

namespace loader::app {

/// @thread that of the store, which must outlive it
class StreamedAnswer {
public:
    static constexpr std::chrono::milliseconds kInterval{500};

    /// @errors as ChatStore::beginAnswer()
    static Result<StreamedAnswer> begin(ChatStore& store, ChatId chat, const NewMessage& message);
    /// Whole characters or parts of them: an incomplete one waits for its rest. @errors as ChatStore
    Status add(std::string_view text, std::string_view reasoning = {});
    /// Writes the rest. Without it the answer counts as cut off. @errors as ChatStore
    Status finish();

    MessageId message() const { return m_message; }
    std::size_t writes() const { return m_writes; }

private:
    StreamedAnswer(ChatStore& store, MessageId message)
        : m_store(&store), m_message(message), m_written(std::chrono::steady_clock::now()) {}
    Status write(bool all);

    ChatStore* m_store;
    MessageId m_message;
    std::string m_text;
    std::string m_reasoning;
    std::chrono::steady_clock::time_point m_written;
    std::size_t m_writes = 0;
};

}  // namespace loader::app
