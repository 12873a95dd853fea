// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Settings of GGUF Loader App (LLM-Toolkit) and GGUF Loader, of every version and of the forms that only
// their documents speak of. docs/migration.md lists what is taken from where.
#pragma once

#include <chrono>

#include "core/app/plugin_api/importer.h"
#include "plugins/importers/gguf-loader-app/values.h"

namespace loader::app {

/// read() of an empty path reads everything that findCandidates() finds, as one: where two files say the
/// same, the table of docs/migration.md decides which counts.
class GgufLoaderApp final : public Importer {
public:
    GgufLoaderApp() = default;
    /// For tests. @param patience with shares that do not answer
    GgufLoaderApp(ggufloader::LookAtPath look, std::chrono::milliseconds patience)
        : m_look(std::move(look)), m_patience(patience) {}

    std::string_view id() const override { return "gguf-loader-app"; }
    std::string_view displayName() const override { return "GGUF Loader App"; }
    std::vector<Candidate> findCandidates(const SearchRoots& roots) const override;
    Confidence check(const std::string& path) const override;
    Status read(const std::string& path, const SearchRoots& roots, ImportSink& sink,
                CancelToken cancel) const override;

private:
    ggufloader::LookAtPath m_look = ggufloader::lookAtPath;
    std::chrono::milliseconds m_patience = std::chrono::seconds(2);
};

}  // namespace loader::app
