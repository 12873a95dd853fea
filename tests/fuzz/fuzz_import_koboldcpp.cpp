// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A file of settings of KoboldCpp.

#include "plugins/importers/koboldcpp/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    fuzz::writeInput("x.kcpps", {reinterpret_cast<const char*>(data), size});
    fuzz::readAndCheck(importers::KoboldCppImporter(), "x.kcpps");
    return 0;
}
