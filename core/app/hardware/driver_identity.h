// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A mark that changes when what a probe of Vulkan depends on changes: the loader library, the drivers'
// manifests and libraries, layers, the kernel and its drivers, the graphics adapters, this program. Nothing
// of it is opened as code.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/system_text.h"

namespace loader::app {

/// Variables of the environment that say where drivers are; the programs read them.
struct DriverVariables {
    std::string driverFiles;     // VK_DRIVER_FILES
    std::string icdFilenames;    // VK_ICD_FILENAMES, its older name
    std::string addDriverFiles;  // VK_ADD_DRIVER_FILES
    std::string configHome;      // XDG_CONFIG_HOME, or ~/.config
    std::string dataHome;        // XDG_DATA_HOME, or ~/.local/share
    std::string systemFolder;    // of Windows, with vulkan-1.dll
};

/// SHA-256 as hexadecimal digits. @param plugin the back end's file; empty where it has none
/// @source Vulkan-Loader, docs/LoaderDriverInterface.md, "Driver Discovery on Linux"
std::string driverIdentity(const DriverVariables& variables, std::string_view applicationVersion,
                           const std::string& plugin, const SystemText& system = SystemText());

}  // namespace loader::app
