// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Character sets that some pre-tokenizers list character by character instead of by Unicode category.
#pragma once

namespace loader::text {

/// Letters of scripts that know capitals, as the rule set ScriptRuns lists them (Armenian capitals only).
bool inCasedLetterSet(char32_t codePoint);
/// ASCII without digits, full-width forms, quotation marks and the ideographic stop, as ScriptRuns lists
/// them.
bool inWidePunctuationSet(char32_t codePoint);

}  // namespace loader::text
