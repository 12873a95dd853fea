// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A file of measurements to compare later ones with: what `gguf bench --save` keeps before something is
// changed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/app/benchmark/measurement.h"

namespace loader::app {

/// @thread confined to one thread
class Baseline {
public:
    /// Its name in the data folder of this application.
    static constexpr const char* kFileName = "baseline_performance.json";
    static constexpr std::size_t kMostMeasurements = 5000;

    /// @errors C501 no baseline, D302 of a newer version, C502, C512, F802 … F805; the place names the file
    static Result<Baseline> read(const std::string& path);
    /// An empty one where there is no file; a file that cannot be read is an error, so that nobody writes
    /// over it.
    static Result<Baseline> readOrNew(const std::string& path);
    static Result<Baseline> parse(std::string_view text);

    /// Replaces what has the same work and settings. @errors D320 more than kMostMeasurements
    Status put(Measurement measurement);
    /// What a measurement is to be compared with: of the same work, the same settings before others, then the
    /// latest. Null where there is nothing of that work.
    const Measurement* find(const Measurement& like) const;
    const std::vector<Measurement>& measurements() const { return m_measurements; }

    Json toJson() const;
    /// Whole or not at all; makes the folder. @errors F804, F806
    Status write(const std::string& path) const;

private:
    std::vector<Measurement> m_measurements;
};

}  // namespace loader::app
