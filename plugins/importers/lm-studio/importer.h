// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Models, settings of models, presets and conversations of LM Studio.
// @source lmstudio-js packages/lms-kv-config/src/{schema,valueTypes}.ts,
//         packages/lms-common-server/src/findLMStudioHome.ts; lms src/subcommands/importCmd.ts
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class LmStudioImporter final : public app::Importer {
public:
    std::string_view id() const override { return "lm-studio"; }
    std::string_view displayName() const override { return "LM Studio"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    /// Its home folder, or one file of it.
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
