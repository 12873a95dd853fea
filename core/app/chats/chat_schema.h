// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The tables of the chat database and what brings older ones up to date.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/app/storage/database.h"

namespace loader::app {

/// "GGLC": says in the file's head whose it is.
inline constexpr std::int64_t kChatApplicationId = 0x47474C43;
/// What this program writes.
inline constexpr std::int64_t kChatSchema = 1;

/// Write-ahead log, full synchronization, foreign keys. @errors D301, D303
Status configureChatDatabase(Database& database);
/// The schema of the file; 0 is an empty one. @errors D305 it is of another program
Result<std::int64_t> chatSchemaOf(Database& database);
/// Makes the tables of an empty file, or runs the steps from an older one, each in one transaction.
Status upgradeChatSchema(Database& database, std::int64_t from);
/// Makes the full-text index anew from the tables.
Status rebuildChatIndex(Database& database);
/// "ok", or the first thing that is wrong. @param whole not only what is quick
Result<std::string> checkChatDatabase(Database& database, bool whole);

/// Text as it is stored: valid UTF-8 without zero characters; what is not becomes U+FFFD.
std::string storableText(std::string_view text);

}  // namespace loader::app
