// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/template.h"

#include <new>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/evaluator.h"
#include "core/engine/chat/lexer.h"
#include "core/engine/chat/parser.h"
#include "core/engine/chat/strftime.h"

namespace loader::chat {
namespace {

/// Made without taking memory, since there is none.
Error outOfMemory() {
    return Error(Errc::J405);
}

Status checkInput(const RenderInput& input) {
    LOADER_CHECK(checkMessages(input.messages));
    if (input.tools) LOADER_CHECK(checkTools(*input.tools));
    if (!input.variables.is_object()) return Error(Errc::J414, {"the variables are not an object"});
    return checkTime(input.now);
}

}  // namespace

Result<Template> Template::compile(std::string_view source, const Budget& budget) {
    if (source.size() > kTemplateBytesLimit) {
        return Error(Errc::J412, {std::to_string(source.size()), std::to_string(kTemplateBytesLimit)});
    }
    if (!utf8::isValid(source)) return Error(Errc::J411);
    // The standard library throws where memory ends; no exception leaves the engine.
    try {
        const std::string text = normalizeLines(source);
        LOADER_TRY(std::shared_ptr<const Program> program, Parser(text, budget).parse());
        return Template(std::move(program));
    } catch (const std::bad_alloc&) {
        return outOfMemory();
    }
}

Result<Rendered> Template::render(const RenderInput& input, const Budget& budget, CancelToken cancel) const {
    try {
        LOADER_CHECK(checkInput(input));
        Evaluator evaluator(*m_program, input, budget, cancel);
        return evaluator.run();
    } catch (const std::bad_alloc&) {
        return outOfMemory();
    }
}

}  // namespace loader::chat
