// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The Linux control groups that this process is in: containers and services are limited by them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/system_text.h"

namespace loader {

/// One hierarchy. Every group above limits too, so all of them count.
struct ControlGroup {
    /// Version 2, where all controllers are in one hierarchy.
    bool second = false;
    /// From the own group up to the root. Inside a container only the root may be there.
    std::vector<std::string> folders;
};

/// The hierarchies that may have this controller ("memory", "cpu"). @source Linux cgroups(7)
std::vector<ControlGroup> controlGroups(const SystemText& system, std::string_view controller);

}  // namespace loader
