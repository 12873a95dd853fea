// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// SearchRoots of this machine, from an environment that the program hands in.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/app/plugin_api/importer.h"

namespace loader::app {

/// The value of a variable; empty where unset.
using EnvironmentLookup = std::function<std::string(const char* name)>;

/// The variables that importers may ask for. None of them is a secret: tokens and keys never come in here.
std::span<const char* const> importVariables();

/// @param home of the user @param working the folder the program was started in
SearchRoots searchRootsOf(SearchRoots::System system, const std::string& home, const std::string& working,
                          const EnvironmentLookup& environment);
/// With the system that this was compiled for.
SearchRoots searchRootsHere(const std::string& home, const std::string& working,
                            const EnvironmentLookup& environment);

}  // namespace loader::app
