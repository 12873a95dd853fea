// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// YAML of other programs as the same Json that parseJson() makes. libyaml only finds the events; what a plain
// word means (YAML 1.1, as PyYAML reads it), limits, and what aliases may cost are decided here.
#pragma once

#include <string>
#include <string_view>

#include "core/app/storage/json_text.h"
#include "core/engine/base/result.h"

namespace loader::importers {

/// One document; nothing at all is null. Keys are texts, whatever they look like. Base-60 numbers and dates
/// stay texts; so do .inf and .nan, which no setting can be. Tags never make objects. An alias is a copy, and
/// counts as what it copies.
/// @errors C501 no YAML, several documents, an alias of what surrounds it, limits
Result<app::JsonText> parseYaml(std::string_view text, const app::JsonLimits& limits = {});
/// A file in any encoding of decodedText(). @errors as readSmallFile() and parseYaml(); the place names the
/// file
Result<app::JsonText> readYamlFile(const std::string& path, const app::JsonLimits& limits = {});

/// What a plain word means: null, true, 12, 0.5 or the text itself.
app::Json plainScalar(std::string_view word);

}  // namespace loader::importers
