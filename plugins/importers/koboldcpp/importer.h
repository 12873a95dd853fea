// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Settings (.kcpps) and templates (.kcppt): every argument of its command line as flat JSON.
// @source KoboldCpp koboldcpp.py, its arguments and save_config
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class KoboldCppImporter final : public app::Importer {
public:
    std::string_view id() const override { return "koboldcpp"; }
    std::string_view displayName() const override { return "KoboldCpp"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
