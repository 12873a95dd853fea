// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// config.json beside a model, and the names of the settings that ctransformers takes in its call.
// @source ctransformers ctransformers/hub.py, ctransformers/llm.py
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class CtransformersImporter final : public app::Importer {
public:
    std::string_view id() const override { return "ctransformers"; }
    std::string_view displayName() const override { return "ctransformers"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
