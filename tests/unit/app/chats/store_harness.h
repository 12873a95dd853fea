// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A chat store in a folder of its own, with a clock that a test turns.
#pragma once

#include <QTemporaryDir>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "core/app/chats/chat_store.h"

namespace loader::test {

/// Fails the test with the error's own words.
#define CHAT_VERIFY(expression)                                                         \
    do {                                                                                \
        const auto& outcome = (expression);                                             \
        QVERIFY2(outcome.ok(), outcome.ok() ? "" : outcome.error().toString().c_str()); \
    } while (false)

class StoreHarness {
public:
    std::string folder() const { return m_folder.path().toStdString(); }
    std::string path() const { return folder() + "/chats.db"; }
    std::string backups() const { return folder() + "/backups"; }

    Result<std::unique_ptr<app::ChatStore>> open() {
        return app::ChatStore::open(path(), backups(), [this] { return now; });
    }

    static std::string bytesOf(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        return std::move(text).str();
    }
    static void write(const std::string& path, const std::string& bytes) {
        std::ofstream(path, std::ios::binary) << bytes;
    }

    /// 2026-11-22 00:00 UTC.
    std::int64_t now = 1795305600000;

private:
    QTemporaryDir m_folder;
};

inline app::NewMessage said(const char* role, std::string text) {
    app::NewMessage message;
    message.role = role;
    message.text = std::move(text);
    return message;
}

/// "user:hello assistant:hi", the branch that is shown.
inline std::string shownOf(app::ChatStore& store, app::ChatId chat) {
    const auto branch = store.branch(chat);
    if (!branch) return branch.error().toString();
    std::string text;
    for (const app::Message& message : *branch)
        text += (text.empty() ? "" : " ") + message.role + ":" + message.text;
    return text;
}

}  // namespace loader::test
