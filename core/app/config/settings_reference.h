// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// docs/reference/settings.md, made from settings.inc.
#pragma once

#include <string>

namespace loader::app {

/// The whole page. A test compares it with the file.
std::string settingsReference();

}  // namespace loader::app
