// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the keys of Jan's models and assistants are here.
#pragma once

#include <span>

#include "plugins/importers/common/key_rules.h"

namespace loader::importers::jan {

/// model.yml of new and older versions, and the groups settings and parameters of model.json and
/// assistant.json: one name never means two things.
std::span<const KeyRule> modelRules();

}  // namespace loader::importers::jan
