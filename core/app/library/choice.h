// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From the name of a model to one file, and which file `auto` takes. The rules are in docs/library.md.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/app/library/library_entry.h"

namespace loader::app {

struct ChoiceRules {
    /// The setting models.quant_order: groups of beginnings of type names, best first.
    std::vector<std::string> quantOrder;
    /// Larger files come last, whatever their type; 0 is no limit.
    std::uint64_t mostBytes = 0;
};

/// The group of a type, counted from 0; as many as there are groups for all others.
std::size_t quantRank(const std::string& type, std::span<const std::string> order);

/// Whether it can be expected to load: nothing is missing, the header is fine, the architecture is known.
bool isUsable(const LibraryEntry& entry);

/// Whether auto takes a rather than b. A strict order: two entries are never equal, because their paths are
/// not.
bool isPreferred(const LibraryEntry& a, const LibraryEntry& b, const ChoiceRules& rules);

/// Puts the entries of each group in that order.
void sortGroups(LibrarySnapshot& snapshot, const ChoiceRules& rules);

/// `auto`, the name of an entry or of its file, of a group, of a repository (ORG/NAME), each of them with a
/// type behind a colon (NAME:Q8_0).
/// @errors D313 auto finds nothing, F802 no such model
Result<std::size_t> chooseEntry(const LibrarySnapshot& snapshot, const std::string& model,
                                const ChoiceRules& rules);

}  // namespace loader::app
