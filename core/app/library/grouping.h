// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Puts files together: the parts of a split set, projectors with the models of their folder, the types of one
// model. The rules are in docs/library.md.
#pragma once

#include <span>
#include <vector>

#include "core/app/library/library_entry.h"

namespace loader::app {

/// The type that holds most values; of equals the first by name.
std::string mainTypeOf(const protocol::IndexFacts& facts);

/// @param files by place, then path
/// @thread any; pure
std::vector<LibraryEntry> entriesOf(std::span<const LibraryFile> files, std::span<const LibraryPlace> places);

/// Sets LibraryEntry::group. Groups come in the order of their first entries.
/// @thread any; pure
std::vector<LibraryGroup> groupsOf(std::vector<LibraryEntry>& entries);

}  // namespace loader::app
