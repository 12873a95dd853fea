// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A database of another program, looked at in a copy in memory: the file, and the log beside it, are only
// read as files are, so that nothing beside them is made, locked or changed.
// @source SQLite file format, sections 3 (rollback journal) and 4 (write-ahead log)
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/app/storage/database.h"

namespace loader::app {

/// Waits up to two seconds for a program that is writing right now.
/// @errors C515 locked, malformed, in the middle of a change, with a log that is not its own; F802, F804,
/// C512
Result<std::unique_ptr<Database>> openForeignDatabase(const std::string& path);

/// The image of a database with what is committed in its log. Where the log ends in the middle of a change,
/// that change is left out, as SQLite does. @errors C515
Result<std::string> withLog(std::string image, std::string_view log, const std::string& place);

/// The same failure with the code that importers tell: C515.
Error foreignFailure(const Error& error);

}  // namespace loader::app
