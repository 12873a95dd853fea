// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// By the first byte: a preset (0), the defaults of a model (1), a conversation (2), settings (3), model.yaml.

#include "plugins/importers/lm-studio/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (bytes.empty()) return 0;
    const std::string_view rest = bytes.substr(1);
    const char* name = "lm/hub/models/a/b/model.yaml";
    switch (bytes[0]) {
        case 0: name = "lm/config-presets/x.preset.json"; break;
        case 1: name = "lm/.internal/user-concrete-model-default-config/a/b/c.gguf.json"; break;
        case 2: name = "lm/conversations/1.json"; break;
        case 3: name = "lm/settings.json"; break;
        default: break;
    }
    fuzz::writeInput(name, rest);
    fuzz::readAndCheck(importers::LmStudioImporter(), name);
    return 0;
}
