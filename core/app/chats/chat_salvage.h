// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What is done with a chat database that is damaged: it is set aside as it is, and a new one is made of what
// can be read of it and of the newest backup. Killed at any moment, the next start goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/app/chats/chat_types.h"
#include "core/engine/base/result.h"

namespace loader::app {

/// @errors D303 the new one cannot be written
Result<SalvageReport> salvageChats(const std::string& path, const std::string& backups,
                                   const std::string& fault, std::int64_t now);
/// Puts a finished one in its place where a salvage was interrupted just before that.
Status finishSalvage(const std::string& path, std::int64_t now);
/// A write-ahead log whose database is gone would be deleted by opening, and that of another database (a
/// backup was put in place, its log not taken away) would overwrite this one: both are set aside.
Result<std::optional<SalvageReport>> setForeignLogAside(const std::string& path, std::int64_t now);

}  // namespace loader::app
