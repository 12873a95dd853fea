// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Chat templates: an interpreter for the Jinja language as model files use it. The template is hostile input:
// it has no host objects, no files, no imports, and a budget for everything. The text it yields says, byte
// range by byte range, what the template itself wrote and what came from messages, tools and variables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/cancel_token.h"
#include "core/engine/base/result.h"
#include "core/engine/chat/budget.h"
#include "core/engine/chat/messages.h"
#include "core/engine/chat/strftime.h"

namespace loader::chat {

/// A longer template is refused (J412).
inline constexpr std::size_t kTemplateBytesLimit = std::size_t(1) << 20;

struct RenderInput {
    Json messages = Json::array();
    /// Absent: the variable `tools` is undefined, unless `variables` has it.
    std::optional<Json> tools;
    bool addGenerationPrompt = true;
    /// An object: bos_token, eos_token, documents, enable_thinking … bos_token and eos_token come from the
    /// model file and count as written by the template.
    Json variables = Json::object();
    CivilTime now;
};

/// Bytes [begin, end) of the text.
struct OriginSpan {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool fromTemplate = false;
    bool operator==(const OriginSpan&) const = default;
};

struct Rendered {
    std::string text;
    /// In order and without gaps over the whole text; neighbours differ in origin. Only spans from the
    /// template may be searched for special tokens. A character that depends on both origins counts as not
    /// from the template.
    std::vector<OriginSpan> spans;
};

struct Program;

/// @thread compile: any; render: const, any number of threads at once
class Template {
public:
    /// Takes jinja2's settings of the usual chat front ends: trim_blocks, lstrip_blocks, loop controls, no
    /// autoescape.
    /// @errors J401 syntax, J402 depth, J405 memory, J410 statement not allowed, J411 not UTF-8, J412 too
    /// long; the place is line:column
    static Result<Template> compile(std::string_view source, const Budget& budget = {});

    /// @errors J402-J406 a limit, J407 the template refuses the messages, J408 unknown filter or test, J409
    /// an operation without a result, J410 an operation not allowed, J414 unusable input, X002 cancelled
    Result<Rendered> render(const RenderInput& input, const Budget& budget = {},
                            CancelToken cancel = {}) const;

private:
    explicit Template(std::shared_ptr<const Program> program) : m_program(std::move(program)) {}
    std::shared_ptr<const Program> m_program;
};

}  // namespace loader::chat
