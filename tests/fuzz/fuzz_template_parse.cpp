// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Compiles any bytes as a chat template: an error or a program, soon.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/engine/chat/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view source(reinterpret_cast<const char*>(data), size);
    const auto compiled = loader::chat::Template::compile(source);
    if (!compiled.ok() && compiled.error().message().empty()) __builtin_trap();
    return 0;
}
