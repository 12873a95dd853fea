// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What `gguf bench` keeps and compares: the baseline, the history, and what both say of a new measurement.
#pragma once

#include "core/app/benchmark/baseline.h"
#include "core/app/benchmark/comparison.h"
#include "core/app/benchmark/history.h"
#include "core/cli/bench_work.h"
#include "core/cli/library_access.h"

namespace loader::cli {

/// The answers to --save, --compare and --no-history.
class BenchRecords {
public:
    /// Reads what is to be compared with, before anything is measured.
    /// @errors those of Baseline; D320 where --compare names a file that is not there
    static Result<BenchRecords> open(const Context& context);

    /// D320 where --compare is asked for and nothing of this model and work was saved.
    Status checkComparable(const app::Measurement& planned) const;
    /// Compares with the baseline and with the history, then keeps. What was kept and found is in the object
    /// and, for people, in text().
    /// @errors D320, F804, F806 a baseline that cannot be written
    Result<Json> add(const app::Measurement& measurement);
    const std::string& text() const { return m_text; }

private:
    Status save(const app::Measurement& measurement, Json& json);

    std::optional<std::string> m_savePath;
    std::optional<std::string> m_comparePath;
    bool m_keepsHistory = true;
    app::Baseline m_before;
    app::History m_history{std::string()};
    app::HistoryContent m_content;
    std::string m_text;
};

/// Options that say which settings count, for processes that are started.
std::vector<std::string> configurationWords(const Arguments& arguments);
/// What is known before anything is measured.
app::Measurement plannedMeasurement(const BenchPlan& plan, app::ModelIdentity model);
}  // namespace loader::cli
