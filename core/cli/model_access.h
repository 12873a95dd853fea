// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A model that a command can ask, in a worker (as a rule) or in this process (--in-process).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/cli/context.h"
#include "core/engine/chat/template.h"
#include "core/host/chat_prompt.h"
#include "core/protocol/answer.h"
#include "core/protocol/load_report.h"

namespace loader::cli {

/// @thread confined to one thread
class ModelAccess {
public:
    virtual ~ModelAccess() = default;
    /// The model's own name, or that of its file.
    virtual std::string name() const = 0;
    virtual bool hasTemplate() const = 0;
    /// What the file recommends, on top of our defaults.
    virtual sampling::SamplingParameters recommendedSampling() const = 0;
    virtual const protocol::LoadReport& report() const = 0;
    /// @errors J402 to J414, T201, T212
    virtual Result<std::vector<TokenId>> chatPrompt(const chat::Json& messages, CancelToken cancel) = 0;
    virtual Result<std::vector<TokenId>> rawPrompt(std::string_view text,
                                                   const host::RawTextOptions& options) = 0;
    virtual Result<protocol::Answer> answer(std::vector<TokenId> prompt,
                                            const protocol::AnswerOptions& options,
                                            const protocol::AnswerCallbacks& callbacks,
                                            CancelToken cancel) = 0;
};

/// Loads MODEL as the options say, with a progress line, and notes warnings on standard error.
Result<std::unique_ptr<ModelAccess>> openModel(Context& context, const host::LoadRequest& request);

}  // namespace loader::cli
