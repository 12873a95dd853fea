// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Models in the cache of the Hugging Face hub and in both caches of llama.cpp.
// @source huggingface_hub constants.py; llama.cpp common/hf-cache.cpp, common/download.cpp
#pragma once

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// @thread confined to one thread
class HuggingFaceImporter final : public app::Importer {
public:
    std::string_view id() const override { return "hugging-face"; }
    std::string_view displayName() const override { return "Hugging Face and llama.cpp caches"; }
    std::vector<app::Candidate> findCandidates(const app::SearchRoots& roots) const override;
    app::Confidence check(const std::string& path) const override;
    Status read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                CancelToken cancel) const override;
};

}  // namespace loader::importers
