// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A manifest of llama.cpp's cache and, from the same bytes, a ref of the hub's cache.

#include "plugins/importers/hugging-face/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    fuzz::writeInput("cache/manifest=acme=a-GGUF=Q4_0.json", bytes);
    fuzz::writeInput("cache/acme_a-GGUF_a.gguf", "GGUF");
    fuzz::writeInput("cache/models--acme--b/refs/main", bytes.substr(0, 64));
    fuzz::writeInput("cache/models--acme--b/snapshots/0123/b.gguf", bytes);
    fuzz::readAndCheck(importers::HuggingFaceImporter(), "cache");
    return 0;
}
