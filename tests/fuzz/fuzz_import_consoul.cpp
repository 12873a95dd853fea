// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A configuration of Consoul; also the reader of YAML.

#include "plugins/importers/consoul/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    fuzz::writeInput(".consoul/config.yaml", {reinterpret_cast<const char*>(data), size});
    fuzz::readAndCheck(importers::ConsoulImporter(), ".consoul/config.yaml");
    return 0;
}
