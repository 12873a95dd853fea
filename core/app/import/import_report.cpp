// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/import/import_report.h"

#include <algorithm>

namespace loader::app {

std::string_view nameOf(ImportVerdict verdict) {
    switch (verdict) {
        case ImportVerdict::Kept: return "kept";
        case ImportVerdict::Mapped: return "mapped";
        case ImportVerdict::Ignored: return "ignored";
        case ImportVerdict::Invalid: return "invalid";
    }
    return {};
}

std::size_t ImportReport::count(ImportVerdict verdict) const {
    const auto same = [verdict](const ReportLine& line) { return line.verdict == verdict; };
    return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), same));
}

Json ImportReport::toJson() const {
    Json report = Json::array();
    for (const ReportLine& line : lines) {
        report.push_back({{"source", line.source.file},
                          {"key", line.source.key},
                          {"verdict", nameOf(line.verdict)},
                          {"target", line.target},
                          {"value", line.value},
                          {"reason", line.reason}});
    }
    return {{"report", std::move(report)}};
}

}  // namespace loader::app
