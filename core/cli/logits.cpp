// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf logits: the scores of every token after a prompt, for comparisons with other engines.

#include <algorithm>
#include <bit>

#include "core/cli/context.h"
#include "core/engine/base/atomic_file.h"
#include "core/host/chat_prompt.h"

namespace loader::cli {
namespace {

std::vector<std::byte> littleEndian(std::span<const float> values) {
    std::vector<std::byte> bytes;
    bytes.reserve(values.size() * 4);
    for (const float value : values) {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        for (int shift = 0; shift < 32; shift += 8)
            bytes.push_back(static_cast<std::byte>(bits >> shift & 0xFFu));
    }
    return bytes;
}

}  // namespace

Result<int> logitsCommand(Context& context) {
    const auto path = context.arguments.text("out");
    if (!path) return Error(Errc::X001, {"gguf logits needs --out FILE."});
    LOADER_TRY(const host::LoadRequest request, loadRequest(context));
    std::string text;
    if (const auto given = context.arguments.text("prompt")) {
        text = *given;
    } else {
        if (standardInputIsTerminal()) return Error(Errc::X001, {"gguf logits needs -p TEXT."});
        LOADER_TRY(text, readStandardInput(text::kMaximumPromptBytes));
    }
    LOADER_TRY(const Loaded loaded, loadModel(context, request));
    host::LoadedModel& model = *loaded.model;
    LOADER_TRY(const host::ModelText* words, model.text());
    host::RawTextOptions options;
    options.addSpecial = !context.arguments.has("no-bos");
    options.parseSpecial = false;
    LOADER_TRY(const std::vector<TokenId> ids, host::rawPrompt(words->tokenizer, text, options));
    host::Generator generator(model);
    LOADER_TRY(const std::vector<float> logits, generator.score(ids, context.cancel));
    LOADER_TRY(const auto file, AtomicFile::create(*path));
    LOADER_CHECK(file->append(littleEndian(logits)));
    LOADER_CHECK(file->commit());
    if (context.output.json()) {
        context.output.writeJson({{"tokens", ids.size()},
                                  {"vocabulary", logits.size()},
                                  {"file", *path},
                                  {"load_report", reportJson(model.report(), request)}});
    }
    return 0;
}

}  // namespace loader::cli
