// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Settings, models and chats of GPT4All.
// @source gpt4all gpt4all-chat/src/{main,mysettings,modellist,chatlistmodel}.cpp
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class Gpt4AllImporter final : public app::Importer {
public:
    std::string_view id() const override { return "gpt4all"; }
    std::string_view displayName() const override { return "GPT4All"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    /// GPT4All.ini, the folder with models and chats, or one .chat file.
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
