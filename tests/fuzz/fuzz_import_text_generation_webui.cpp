// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One file of text-generation-webui's user_data; the first byte says which.

#include <array>

#include "plugins/importers/text-generation-webui/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    constexpr std::array<std::string_view, 5> kFiles = {
        "CMD_FLAGS.txt", "models/config-user.yaml", "settings.yaml", "presets/x.yaml", "characters/x.yaml"};
    if (size == 0) return 0;
    const std::string file = "user_data/" + std::string(kFiles[data[0] % kFiles.size()]);
    fuzz::writeInput("user_data/models/m.gguf", "GGUF");
    fuzz::writeInput(file, {reinterpret_cast<const char*>(data) + 1, size - 1});
    fuzz::readAndCheck(importers::TextGenerationImporter(), "user_data");
    std::filesystem::remove(fuzz::importerFolder() + "/" + file);
    return 0;
}
