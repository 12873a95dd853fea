// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Any text through every rule set: no piece is empty and together they are the text.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/engine/text/pretokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader::text;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::vector<std::uint32_t> lengths;
    for (const RuleSet rules : allRuleSets()) {
        lengths.clear();
        splitPieces(rules, text, lengths);
        std::size_t total = 0;
        for (const std::uint32_t length : lengths) {
            if (length == 0) std::abort();
            total += length;
        }
        if (total != size) std::abort();
    }
    return 0;
}
