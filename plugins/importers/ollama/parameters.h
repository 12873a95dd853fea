// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the parameters, variables and settings of Ollama are here.
#pragma once

#include <span>

#include "plugins/importers/common/key_rules.h"

namespace loader::importers::ollama {

/// Of a params layer and of PARAMETER in a Modelfile.
std::span<const KeyRule> parameterRules();
/// OLLAMA_… of the server.
std::span<const KeyRule> environmentRules();
/// Columns of the application's table of settings.
std::span<const KeyRule> applicationRules();
/// server.json and the older config.json.
std::span<const KeyRule> fileRules();

}  // namespace loader::importers::ollama
