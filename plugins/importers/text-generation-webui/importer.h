// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The user_data folder of text-generation-webui, and the layout before there was one.
// @source text-generation-webui modules/shared.py, modules/models_settings.py, modules/presets.py,
// modules/chat.py
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class TextGenerationImporter final : public app::Importer {
public:
    std::string_view id() const override { return "text-generation-webui"; }
    std::string_view displayName() const override { return "text-generation-webui"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
