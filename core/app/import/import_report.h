// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What became of every key of a foreign file: the report of `migrate` and `import`, dry or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/config/setting_list.h"

namespace loader::app {

enum class ImportVerdict : std::uint8_t {
    /// Arrives as it was, under a key of the same name and meaning.
    Kept,
    /// Arrives under another name or with another value of the same meaning.
    Mapped,
    /// Not taken over, with the reason.
    Ignored,
    /// Cannot be a value of this key, with the reason.
    Invalid,
};
/// "kept", "mapped", "ignored" or "invalid".
std::string_view nameOf(ImportVerdict verdict);

/// Where a value stands.
struct SourceKey {
    /// The path of the file, or "environment".
    std::string file;
    /// As the file nests it: "backend_configs.ctransformers.gpu_layers", "models[0].n_ctx"; empty for the
    /// file itself.
    std::string key;
};

struct ReportLine {
    SourceKey source;
    ImportVerdict verdict = ImportVerdict::Ignored;
    /// What it became: a setting with whose it is ("load.context", "load.context of /m/a.gguf", "chat",
    /// "model").
    std::string target;
    /// What arrived; of what did not arrive the source's value. Secrets are null.
    Json value;
    /// Empty where there is nothing to say.
    std::string reason;
};

struct ImportReport {
    std::vector<ReportLine> lines;
    std::size_t count(ImportVerdict verdict) const;
    /// {"report":[{"source","key","verdict","target","value","reason"}]}, the form that architecture.md
    /// fixes.
    Json toJson() const;
};

}  // namespace loader::app
