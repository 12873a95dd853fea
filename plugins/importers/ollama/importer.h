// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Models, parameters, system prompts, Modelfiles, the server's settings, and the application's settings and
// chats of Ollama. Weights stay in its blobs and are used there.
// @source ollama manifest/{manifest,paths}.go, api/types.go, parser/parser.go, envconfig/config.go,
//         app/store/{database,store}.go
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class OllamaImporter final : public app::Importer {
public:
    std::string_view id() const override { return "ollama"; }
    std::string_view displayName() const override { return "Ollama"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    /// A folder with manifests and blobs, the folder around it, a Modelfile, db.sqlite, server.json or
    /// config.json.
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
