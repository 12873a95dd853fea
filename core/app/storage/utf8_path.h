// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Paths are UTF-8 texts everywhere in this program; std::filesystem is told so on every system alike.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace loader::app {

inline std::filesystem::path utf8Path(std::string_view text) {
    return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

/// With the separators of the system.
inline std::string nativeText(const std::filesystem::path& path) {
    const std::u8string text = path.u8string();
    return std::string(text.begin(), text.end());
}

/// With slashes on every system.
inline std::string utf8Text(const std::filesystem::path& path) {
    const std::u8string text = path.generic_u8string();
    return std::string(text.begin(), text.end());
}

}  // namespace loader::app
