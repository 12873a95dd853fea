// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What was measured and how fast answers were, oldest first: JSON objects, one in a line. Lines and no
// database: a line is added with one write beside a running answer, a damaged one costs itself alone, and a
// person can read, copy and delete them; all of it is read in one go, so nothing needs an index.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/app/benchmark/usage_record.h"

namespace loader::app {

struct HistoryContent {
    std::vector<Measurement> measurements;
    std::vector<UsageRecord> uses;
    /// Lines that are no usable record, and lines of a newer version of this program.
    std::size_t damaged = 0;
    std::size_t newer = 0;
};

/// @thread const; several programs may use one file
class History {
public:
    static constexpr const char* kFileName = "performance.jsonl";
    static constexpr std::size_t kMostLineBytes = 32 * 1024;
    /// A longer file is made shorter: the newest lines of each kind are kept.
    static constexpr std::uint64_t kMostBytes = 4u << 20;
    static constexpr std::uint64_t kKeptBytes = 3u << 20;
    static constexpr std::size_t kMostMeasurements = 1500;
    static constexpr std::size_t kMostUses = 5000;

    /// @param folder the data folder of this application
    explicit History(std::string folder) : m_folder(std::move(folder)) {}
    std::string path() const { return m_folder + "/" + kFileName; }

    /// @errors F804, F806, X003 longer than kMostLineBytes
    Status append(const Measurement& measurement) const;
    Status append(const UsageRecord& record) const;
    /// Empty where there is no file. Of a file that is longer than kMostBytes, its end.
    HistoryContent read() const;
    static HistoryContent parse(std::string_view text);

private:
    Status appendLine(const Json& entry) const;
    Status shorten() const;

    std::string m_folder;
};

}  // namespace loader::app
