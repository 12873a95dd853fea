// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// By the first byte: model.yml (0), model.json (1), assistant.json (2), messages of a conversation (3),
// thread.json.

#include "plugins/importers/jan/importer.h"
#include "tests/fuzz/importer_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (bytes.empty()) return 0;
    const std::string_view rest = bytes.substr(1);
    const char* name = "jan/threads/t/thread.json";
    switch (bytes[0]) {
        case 0: name = "jan/llamacpp/models/a/model.yml"; break;
        case 1: name = "jan/models/a/model.json"; break;
        case 2: name = "jan/assistants/a/assistant.json"; break;
        case 3:
            fuzz::writeInput(name, "{\"title\":\"t\"}");
            fuzz::writeInput("jan/threads/t/messages.jsonl", rest);
            fuzz::readAndCheck(importers::JanImporter(), name);
            return 0;
        default: break;
    }
    fuzz::writeInput(name, rest);
    fuzz::readAndCheck(importers::JanImporter(), name);
    return 0;
}
