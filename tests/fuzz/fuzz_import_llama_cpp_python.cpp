// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A configuration of llama-cpp-python's server.

#include "plugins/importers/llama-cpp-python/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    fuzz::writeInput("config.json", {reinterpret_cast<const char*>(data), size});
    fuzz::readAndCheck(importers::LlamaCppPythonImporter(), "config.json");
    return 0;
}
