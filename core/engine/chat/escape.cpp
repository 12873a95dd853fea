// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/escape.h"

namespace loader::chat {
namespace {

std::string_view entityOf(char c) {
    switch (c) {
        case '&': return "&amp;";
        case '<': return "&lt;";
        case '>': return "&gt;";
        case '"': return "&#34;";
        case '\'': return "&#39;";
        default: return {};
    }
}

}  // namespace

void appendEscaped(TextBuilder& builder, const Text& text) {
    std::size_t done = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::string_view entity = entityOf(text.bytes()[i]);
        if (entity.empty()) continue;
        builder.append(text, done, i);
        builder.append(entity, text.originAt(i));
        done = i + 1;
    }
    builder.append(text, done, text.size());
}

}  // namespace loader::chat
