// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the settings of GPT4All are here.
#pragma once

#include <span>

#include "plugins/importers/common/key_rules.h"

namespace loader::importers::gpt4all {

/// Keys outside of models: "threadCount", "localdocs/chunkSize".
std::span<const KeyRule> programRules();
/// Keys of a section [model-…].
std::span<const KeyRule> modelRules();

}  // namespace loader::importers::gpt4all
