// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// JSON of other programs and of our own files, read with limits: depth, number of values, no number that is
// not finite. Comments and trailing commas are no JSON; a key that stands twice is told.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"

namespace loader::app {

using Json = nlohmann::ordered_json;

struct JsonLimits {
    std::size_t depth = 64;
    /// Of values of any kind, keys not counted.
    std::size_t values = 2'000'000;
};

struct JsonText {
    Json document;
    /// Paths ("load.context") of keys that stand more than once; the last one counts.
    std::vector<std::string> repeated;
};

/// @errors C501 with what is wrong at which byte; limits; a number that is not finite
Result<JsonText> parseJson(std::string_view text, const JsonLimits& limits = {});
/// A file in any encoding of decodedText(). @errors as readSmallFile() and parseJson(); the place names the
/// file
Result<JsonText> readJsonFile(const std::string& path, const JsonLimits& limits = {});

}  // namespace loader::app
