// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Names of the metadata keys that every model shares. Keys of one architecture ("<architecture>.block_count")
// are made in core/engine/arch.
#pragma once

#include <string_view>

namespace loader::gguf::keys {

inline constexpr std::string_view kArchitecture = "general.architecture";
inline constexpr std::string_view kType = "general.type";
inline constexpr std::string_view kName = "general.name";
inline constexpr std::string_view kBaseName = "general.basename";
inline constexpr std::string_view kSizeLabel = "general.size_label";
inline constexpr std::string_view kAuthor = "general.author";
inline constexpr std::string_view kDescription = "general.description";
inline constexpr std::string_view kLicense = "general.license";
inline constexpr std::string_view kUuid = "general.uuid";
inline constexpr std::string_view kFileType = "general.file_type";
inline constexpr std::string_view kQuantizationVersion = "general.quantization_version";
inline constexpr std::string_view kAlignment = "general.alignment";

inline constexpr std::string_view kSplitNumber = "split.no";
inline constexpr std::string_view kSplitCount = "split.count";
inline constexpr std::string_view kSplitTensorCount = "split.tensors.count";

inline constexpr std::string_view kTokenizerModel = "tokenizer.ggml.model";
inline constexpr std::string_view kTokenizerPre = "tokenizer.ggml.pre";
inline constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
inline constexpr std::string_view kTokenScores = "tokenizer.ggml.scores";
inline constexpr std::string_view kTokenTypes = "tokenizer.ggml.token_type";
inline constexpr std::string_view kMerges = "tokenizer.ggml.merges";
inline constexpr std::string_view kChatTemplate = "tokenizer.chat_template";

}  // namespace loader::gguf::keys
