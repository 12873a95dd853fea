// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The text in which Windows exports keys of its registry (.reg, version 5): where older versions kept
// settings there, a backup keeps them in this form, and this is read wherever it comes from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/storage/json_text.h"

namespace loader::app {

struct RegistryValue {
    /// "HKEY_CURRENT_USER\Software\GGUFLoader\FloatingChat"
    std::string key;
    /// Empty for the key's own value.
    std::string name;
    /// As Windows numbers them: 1 text, 2 text with variables, 3 bytes, 4 number, 7 texts, 11 large number.
    std::uint32_t type = 0;
    /// As Windows keeps it: texts as UTF-16, little endian, with their zero.
    std::string data;

    bool operator==(const RegistryValue& other) const;
};

struct RegistryText {
    std::vector<RegistryValue> values;
    /// Lines that are neither keys nor values: their numbers, from 1.
    std::vector<std::size_t> faults;
};

/// @param text UTF-8; files are UTF-16, which decodedText() turns into it @errors C501 no such text
Result<RegistryText> parseRegistryText(std::string_view text);
/// UTF-8; parseRegistryText() gives the same values again.
std::string registryText(const std::vector<RegistryValue>& values);
/// A text, a list of texts, a number; null where it is bytes or not what its type says.
Json valueOf(const RegistryValue& value);

}  // namespace loader::app
