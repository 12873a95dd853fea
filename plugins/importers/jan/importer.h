// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Models, assistants and conversations of Jan, in the forms of its new and its older versions.
// @source jan src-tauri/src/core/{app/commands,threads/models}.rs, docs/docs/specs; cortex.cpp
// config/yaml_config
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class JanImporter final : public app::Importer {
public:
    std::string_view id() const override { return "jan"; }
    std::string_view displayName() const override { return "Jan"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    /// Its data folder, or one file of it: model.yml, model.json, assistant.json, thread.json, settings.json.
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
