// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What becomes of the keys of text-generation-webui's files.
#pragma once

#include <span>

#include "plugins/importers/common/key_rules.h"

namespace loader::importers::textgen {

/// Of models/config-user.yaml, and of flags with _ for -: how a model is loaded.
std::span<const KeyRule> modelRules();
/// Of presets and of settings.yaml: how tokens are chosen.
std::span<const KeyRule> samplingRules();
/// Of settings.yaml: the rest of it.
std::span<const KeyRule> interfaceRules();
/// Of flags only.
std::span<const KeyRule> flagRules();

}  // namespace loader::importers::textgen
