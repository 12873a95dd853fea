// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// By the first byte: a Modelfile (0), a manifest (1), a layer of parameters (2), messages (3), or a database
// with its log (any other).

#include "core/app/storage/foreign_database.h"
#include "plugins/importers/ollama/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (bytes.empty()) return 0;
    const std::string_view rest = bytes.substr(1);
    const std::string digest(64, 'a');
    const std::string blob = "store/blobs/sha256-" + digest;
    const std::string manifest = "store/manifests/registry.ollama.ai/library/x/latest";
    const auto layer = [&digest](const char* kind) {
        return "{\"layers\":[{\"mediaType\":\"application/vnd.ollama.image." + std::string(kind) +
               "\",\"digest\":\"sha256:" + digest + "\"}]}";
    };
    switch (bytes[0]) {
        case 0:
            fuzz::writeInput("Modelfile", rest);
            fuzz::readAndCheck(importers::OllamaImporter(), "Modelfile");
            return 0;
        case 1: fuzz::writeInput(manifest, rest); break;
        case 2:
            fuzz::writeInput(manifest, layer("params"));
            fuzz::writeInput(blob, rest);
            break;
        case 3:
            fuzz::writeInput(manifest, layer("messages"));
            fuzz::writeInput(blob, rest);
            break;
        default: {
            const std::size_t half = rest.size() / 2;
            const auto merged = app::withLog(std::string(rest.substr(0, half)), rest.substr(half), "x");
            if (merged && merged->size() > rest.size() * 2) std::abort();
            return 0;
        }
    }
    fuzz::readAndCheck(importers::OllamaImporter(), "store");
    return 0;
}
