// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The kinds of files that Ollama has, one reader each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/app/plugin_api/importer.h"

namespace loader::importers::ollama {

/// A folder with manifests and blobs. @errors X002
Status readModelStore(const std::string& folder, app::ImportSink& sink, CancelToken cancel);
/// "llama:latest" of "registry.ollama.ai/library/llama/latest"; empty where there are not four parts.
std::string modelNameOf(std::string_view manifest);
/// "sha256-HEX" of "sha256:HEX"; empty where the text is none: it becomes the name of a file.
std::string blobNameOf(std::string_view digest);

/// One instruction of a Modelfile.
struct Instruction {
    /// In capitals: "PARAMETER".
    std::string name;
    std::string text;
    std::size_t line = 0;
};
/// Every line that is no instruction comes back as one with an empty name.
std::vector<Instruction> modelfileInstructions(std::string_view text);
/// @errors C501, C502, F802, F804, C512
Status readModelfile(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink);

/// Settings and chats of the application. @errors C515, F802, F804, X002
Status readApplicationDatabase(const std::string& path, app::ImportSink& sink, CancelToken cancel);

/// A list of {"role", "content"} of a messages layer or of MESSAGE instructions.
app::ImportedConversation exampleMessages(const std::string& name, const app::Json& messages);

}  // namespace loader::importers::ollama
