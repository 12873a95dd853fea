// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Renders a template with messages; the two are separated by a zero byte. Rendering twice gives the same, and
// the spans cover exactly the text.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/engine/chat/template.h"

using namespace loader::chat;

namespace {

void check(bool holds) {
    if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t split = input.find('\0');
    const auto compiled = Template::compile(input.substr(0, split));
    if (!compiled.ok()) return 0;
    RenderInput values;
    values.messages.push_back(makeMessage("user", "text"));
    if (split != std::string_view::npos) {
        auto conversation = parseConversation(input.substr(split + 1));
        if (conversation.ok()) {
            values.messages = conversation.value().messages;
            values.variables = conversation.value().variables;
        }
    }
    Budget budget;
    budget.steps = 20000;
    budget.outputBytes = 64 << 10;
    budget.heapBytes = 4 << 20;
    // The clock must not decide, or the two renderings could differ.
    budget.wall = std::chrono::hours(1);
    const auto first = compiled->render(values, budget);
    const auto second = compiled->render(values, budget);
    check(first.ok() == second.ok());
    if (!first.ok()) {
        check(first.error().code() == second.error().code() &&
              first.error().place() == second.error().place());
        return 0;
    }
    check(first->text == second->text && first->spans == second->spans);
    check(first->text.size() <= budget.outputBytes);
    std::size_t at = 0;
    for (const OriginSpan& span : first->spans) {
        check(span.begin == at && span.end > span.begin);
        at = span.end;
    }
    check(at == first->text.size());
    return 0;
}
