// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Preset files (INI) of llama.cpp's router: llama-server --models-preset.
// @source llama.cpp common/preset.cpp, tools/server/README.md "Model presets", common/arg.cpp
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class LlamaCppPresetsImporter final : public app::Importer {
public:
    std::string_view id() const override { return "llama-cpp-presets"; }
    std::string_view displayName() const override { return "llama.cpp presets"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
