// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From messages to the token ids of a prompt, and from raw text to token ids, as the model's file wants them.
#pragma once

#include <string_view>
#include <vector>

#include "core/engine/chat/template.h"
#include "core/engine/text/tokenizer.h"

namespace loader::host {

/// The clock of this machine, for templates that write the date.
chat::CivilTime localTime();

/// bos_token and eos_token for a template; empty texts where the model has none.
chat::Json templateVariables(const text::Vocabulary* vocabulary);

/// Renders messages with the generation prompt and encodes them. Special tokens come only from what the
/// template wrote. The beginning token is added where the file asks for it and the template did not write it.
/// @errors J402 to J414, T212
Result<std::vector<TokenId>> chatPrompt(const chat::Template& compiled, const text::Tokenizer& tokenizer,
                                        const chat::Json& messages, CancelToken cancel = {});

struct RawTextOptions {
    /// Adds the beginning and end tokens that the file asks for.
    bool addSpecial = true;
    bool parseSpecial = true;
};

/// @errors T212
Result<std::vector<TokenId>> rawPrompt(const text::Tokenizer& tokenizer, std::string_view text,
                                       const RawTextOptions& options);

}  // namespace loader::host
