// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Stores of QSettings and exports of the registry. The oracle: no line costs another one, texts are UTF-8,
// and an export that is written again reads the same.

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/app/storage/ini_text.h"
#include "core/app/storage/registry_text.h"
#include "core/app/storage/small_file.h"
#include "core/engine/base/utf8.h"

using namespace loader;

namespace {

void require(bool holds) {
    if (!holds) __builtin_trap();
}

void readIni(const std::string& text) {
    const auto ini = app::parseIni(text);
    if (!ini) return;
    for (const app::IniEntry& entry : ini->entries) {
        require(!entry.key.empty() && !entry.values.empty());
        require(utf8::isValid(entry.path()));
        for (const std::string& value : entry.values)
            require(utf8::isValid(value));
        static_cast<void>(app::valueOf(entry).value.dump());
    }
    const auto more = app::parseIni(text + "\n[sentinel]\nkey=1\n");
    require(more.ok() && more->entries.size() == ini->entries.size() + 1);
    require(more->entries.back().path() == "sentinel/key" && more->faults.size() == ini->faults.size());
}

void readRegistry(const std::string& text) {
    const auto parsed = app::parseRegistryText(text);
    if (!parsed) return;
    bool plain = true;
    for (const app::RegistryValue& value : parsed->values) {
        static_cast<void>(app::valueOf(value).dump());
        plain = plain && value.key.find_first_of("\r\n") == std::string::npos &&
                value.name.find_first_of("\r\n\t ") == std::string::npos;
    }
    const auto again = app::parseRegistryText(app::registryText(parsed->values));
    require(again.ok());
    if (plain) require(again->values == parsed->values);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto text = app::decodedText(std::string(reinterpret_cast<const char*>(data), size));
    if (!text) return 0;
    readIni(text->text);
    readRegistry(text->text);
    return 0;
}
