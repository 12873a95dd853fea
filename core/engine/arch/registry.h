// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Finds the spec of an architecture by the name that files use.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/engine/arch/spec.h"

namespace loader::arch {

/// Every known architecture, sorted by name.
std::span<const ArchSpec* const> allSpecs();
/// @return nullptr where the name is not known
const ArchSpec* findSpec(std::string_view name);
/// The known names, separated by commas, for messages.
std::string knownNames();

}  // namespace loader::arch
