// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The one list of commands: names, operands, options and where they are done.
#pragma once

#include <span>
#include <string_view>

#include "core/cli/options.h"

namespace loader::cli {

std::span<const CommandSpec> allCommands();
const CommandSpec* findCommand(std::string_view name);

}  // namespace loader::cli
