// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What names of model files tell by custom: the type of the weights at the end, the model in front of it.
#pragma once

#include <string>
#include <string_view>

namespace loader::app {

/// The last part of a path.
std::string_view fileNameOf(std::string_view path);
/// The folder of a path; empty where there is none.
std::string_view folderOf(std::string_view path);
/// The file name without .gguf and without the numbers of a split set.
std::string stemOf(std::string_view path);

/// "Name-Q4_K_M" is "Q4_K_M"; empty where no type stands at the end.
std::string quantLabelOf(std::string_view stem);
/// The stem without that label and what joins it.
std::string withoutQuantLabel(std::string_view stem);

/// For comparing names: ASCII letters small, letters, digits and dots only; other letters stay.
std::string comparable(std::string_view name);
bool equalWithoutCase(std::string_view a, std::string_view b);
bool endsWithoutCase(std::string_view text, std::string_view end);
/// 64 hexadecimal digits, in small letters; empty where it is something else.
std::string sha256In(std::string_view text);

}  // namespace loader::app
