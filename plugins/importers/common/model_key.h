// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Keys that name a model file or a projector, as nearly every program has them.
#pragma once

#include <string>

#include "plugins/importers/common/key_rules.h"
#include "plugins/importers/common/places.h"

namespace loader::importers {

/// Hands a model to the sink: also one that is missing or cannot be reached now. A folder, a device, and what
/// is no path here is invalid.
/// @param more what else is known of it; its path is filled in
/// @return the path; empty where it is no model
std::string takeModel(const KeyWalk& walk, Places& places, const std::string& key, const Json& value,
                      const std::string& base, app::ImportedModel more = {});

/// The path that a key for a projector names; empty where it is none. Tells the sink nothing.
std::string projectorPath(Places& places, const Json& value, const std::string& base);
/// The line for that key. @param hasModel whether it went with a model
void takeProjector(const KeyWalk& walk, Places& places, const std::string& key, const Json& value,
                   const std::string& base, bool hasModel);

/// One file of several cannot be read: a line for it.
void noteUnreadable(app::ImportSink& sink, const std::string& file, const Error& error);

}  // namespace loader::importers
