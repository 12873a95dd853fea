// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the old programs kept with QSettings: as a file, or in the registry of Windows.
#pragma once

#include <string>

#include "plugins/importers/gguf-loader-app/plan.h"
#include "plugins/importers/gguf-loader-app/values.h"

namespace loader::app::ggufloader {

/// @errors as readIniFile()
Status readStore(const std::string& path, Plan& plan, Paths& paths);
/// @errors as readSmallFile(), decodedText() and parseRegistryText()
Status readRegistryExport(const std::string& path, Plan& plan, Paths& paths);

}  // namespace loader::app::ggufloader
