// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// config.yaml of Consoul: profiles, each with one model.
// @source Consoul src/consoul/config/models.py, loader.py
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class ConsoulImporter final : public app::Importer {
public:
    std::string_view id() const override { return "consoul"; }
    std::string_view displayName() const override { return "Consoul"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
