// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Cuts text into the pieces inside which byte-level BPE merges. The rules of each name are data
// (pretokenizers.inc); the scanners are hand-written, run in linear time and use no recursion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace loader::text {

/// A named list of cutting steps, each applied inside the pieces of the step before.
enum class RuleSet : std::uint8_t {
#define LOADER_RULE_SET(id, ...) id,
#include "core/engine/text/pretokenizers.inc"
};

/// One row of pretokenizers.inc: what a file's tokenizer.ggml.pre stands for.
struct PreTokenizer {
    RuleSet rules = RuleSet::Default;
    /// A whole piece that is a token is taken without merging.
    bool ignoreMerges = false;
    /// The beginning token is added where the file does not say.
    bool addBos = false;
    /// There is no beginning token unless the file names one.
    bool noDefaultBos = false;
};

/// The row of a name; empty where the name is not known.
std::optional<PreTokenizer> findPreTokenizer(std::string_view name);

/// Every rule set, for tests.
std::vector<RuleSet> allRuleSets();

/// Appends the lengths of the pieces of text: never 0, in order, and together the whole text.
/// Bytes that are no UTF-8 count as one symbol each.
/// @unit bytes  @errors none
void splitPieces(RuleSet rules, std::string_view text, std::vector<std::uint32_t>& lengths);

}  // namespace loader::text
