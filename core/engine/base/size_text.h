// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Sizes for people.
#pragma once

#include <cstdint>
#include <string>

namespace loader {

/// "1.50 GiB", "640.0 KiB".
std::string sizeText(std::uint64_t bytes);

}  // namespace loader
