// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Texts of special tokens whose meaning is the same wherever they occur. Files often leave out their ids.
#pragma once

#include <array>
#include <string_view>

namespace loader::text {

using namespace std::string_view_literals;

// The first one that is present is taken.
inline constexpr std::array kEndOfTurnTexts = {
    "<|eot_id|>"sv,         "<|im_end|>"sv, "<|end|>"sv, "<end_of_turn>"sv, "<|endoftext|>"sv,
    "<|end_of_text|>"sv,    "<EOT>"sv,      "_<EOT>"sv,  "[EOT]"sv,         "<｜end▁of▁sentence｜>"sv,
    "<end_of_utterance>"sv,
};
inline constexpr std::array kEndOfMessageTexts = {"<|eom_id|>"sv};
inline constexpr std::array kFimPrefixTexts = {
    "<|fim_prefix|>"sv,  "<fim-prefix>"sv, "<fim_prefix>"sv, "<｜fim▁begin｜>"sv,
    "<|code_prefix|>"sv, "<|prefix|>"sv,   "<PRE>"sv,        "▁<PRE>"sv,
};
inline constexpr std::array kFimSuffixTexts = {
    "<|fim_suffix|>"sv,  "<fim-suffix>"sv, "<fim_suffix>"sv, "<｜fim▁hole｜>"sv,
    "<|code_suffix|>"sv, "<|suffix|>"sv,   "<SUF>"sv,        "▁<SUF>"sv,
};
inline constexpr std::array kFimMiddleTexts = {
    "<|fim_middle|>"sv,  "<fim-middle>"sv, "<fim_middle>"sv, "<｜fim▁end｜>"sv,
    "<|code_middle|>"sv, "<|middle|>"sv,   "<MID>"sv,        "▁<MID>"sv,
};
inline constexpr std::array kFimPadTexts = {"<|fim_pad|>"sv, "<fim-pad>"sv, "<fim_pad>"sv};
inline constexpr std::array kFimRepositoryTexts = {
    "<|fim_repo|>"sv, "<|repo_name|>"sv, "<fim-repo>"sv, "<REPO>"sv, "<reponame>"sv,
};
inline constexpr std::array kFimSeparatorTexts = {"<|file_sep|>"sv};

// All of these end an answer.
inline constexpr std::array kEndTexts = {
    "<|eot_id|>"sv,
    "<|im_end|>"sv,
    "<|end|>"sv,
    "<|return|>"sv,
    "<|call|>"sv,
    "<|calls|>"sv,
    "<|flush|>"sv,
    "<end_of_turn>"sv,
    "<|endoftext|>"sv,
    "</s>"sv,
    "<|eom_id|>"sv,
    "<EOT>"sv,
    "_<EOT>"sv,
    "[EOT]"sv,
    "[EOS]"sv,
    "<|end_of_text|>"sv,
    "<end_of_utterance>"sv,
    "<eos>"sv,
    "<｜end▁of▁sentence｜>"sv,
    "[e~["sv,
};

}  // namespace loader::text
