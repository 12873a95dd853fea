// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Lists of {"key", "value"} that LM Studio keeps in presets, defaults of models, conversations and
// model.yaml.
#pragma once

#include "plugins/importers/common/key_rules.h"

namespace loader::importers::lm_studio {

/// All entries of a list. @param key of the list: "load.fields"
void takeFields(const KeyWalk& walk, const std::string& key, const Json& fields,
                const app::SettingOwner& owner);

/// 0 to 1 of the layers, "max", "off", or a number of layers.
Taken layersOfRatio(const Json& value);

/// One conversation; nothing where the document is none.
app::ImportedConversation conversationOf(const Json& document, const std::string& identity);
bool isConversation(const Json& document);

}  // namespace loader::importers::lm_studio
