// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A preset file of llama.cpp's router.

#include "plugins/importers/llama-cpp-presets/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    fuzz::writeInput("models.ini", {reinterpret_cast<const char*>(data), size});
    fuzz::readAndCheck(importers::LlamaCppPresetsImporter(), "models.ini");
    return 0;
}
