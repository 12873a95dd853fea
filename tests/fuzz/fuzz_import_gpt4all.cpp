// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Settings of GPT4All.

#include "plugins/importers/gpt4all/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    fuzz::writeInput("nomic.ai/GPT4All.ini", bytes);
    fuzz::readAndCheck(importers::Gpt4AllImporter(), "nomic.ai/GPT4All.ini");
    return 0;
}
