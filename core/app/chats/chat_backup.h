// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Daily copies of the chat database: which there are, and how they are named.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace loader::app {

/// Copies that are kept.
inline constexpr std::size_t kChatBackups = 7;

/// Time as strftime() writes it, in UTC. @unit time: milliseconds since 1970
std::string utcText(std::int64_t time, const char* format);
/// "<folder>/chats-2026-11-22.db" of the database "chats.db".
std::string chatBackupPath(const std::string& folder, const std::string& database, std::int64_t time);
/// Paths, oldest first.
std::vector<std::string> chatBackups(const std::string& folder, const std::string& database);

}  // namespace loader::app
