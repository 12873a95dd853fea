// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// CMD_FLAGS.txt: flags of a command line over several lines, # begins a comment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/app/storage/json_text.h"

namespace loader::importers {

struct CommandFlag {
    /// With its dashes, as it is written: "--ctx-size".
    std::string written;
    /// Without them, with _ for -: "ctx_size".
    std::string name;
    /// True for a switch, a text, or a list of texts.
    app::Json value;
};

struct CommandFlags {
    std::vector<CommandFlag> flags;
    /// Words in front of the first flag.
    std::vector<std::string> strays;
};

CommandFlags parseCommandFlags(std::string_view text);

}  // namespace loader::importers
