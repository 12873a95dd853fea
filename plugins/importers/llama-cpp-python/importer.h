// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The JSON configuration of llama-cpp-python's server.
// @source llama-cpp-python llama_cpp/server/settings.py
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class LlamaCppPythonImporter final : public app::Importer {
public:
    std::string_view id() const override { return "llama-cpp-python"; }
    std::string_view displayName() const override { return "llama-cpp-python server"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
