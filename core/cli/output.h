// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the program writes: results on standard output, byte for byte; everything else on standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "backends/api/backend.h"
#include "core/engine/base/result.h"

namespace loader::cli {

using Json = nlohmann::ordered_json;

/// @thread confined to the main thread
class Output {
public:
    explicit Output(bool json) : m_json(json) {}

    bool json() const { return m_json; }
    /// Writes and flushes. After the first failure nothing more is written. @return whether all could be
    /// written
    bool write(std::string_view bytes);
    /// One document, or one object of a stream, in one line.
    bool writeJson(const Json& document);
    /// A sentence for people, on standard error.
    void note(std::string_view sentence);
    /// In the form that was asked for.
    void error(const Error& error);

    /// The reader went away (a closed pipe): no error, but nothing left to do.
    bool readerGone() const { return m_readerGone; }
    /// F806 where writing failed for another reason.
    Status status() const;

private:
    bool m_json;
    bool m_readerGone = false;
    int m_fault = 0;
};

Json errorJson(const Error& error);
/// 2 usage, 3 bad input file, 4 resources, 5 back end, 6 configuration, 130 cancelled.
int exitStatusOf(const Error& error);

/// Shows how far something has come, on standard error where that is a terminal, at most ten times a second.
class ProgressLine final : public backend::Progress {
public:
    explicit ProgressLine(std::string what);
    ~ProgressLine() override { clear(); }
    void report(std::uint64_t done, std::uint64_t total) override;
    /// The same with words behind it.
    void show(std::uint64_t done, std::uint64_t total, const std::string& detail);
    void clear();

private:
    std::string m_what;
    bool m_terminal;
    bool m_shown = false;
    std::chrono::steady_clock::time_point m_last{};
};

bool standardInputIsTerminal();
bool standardOutputIsTerminal();
/// Standard input, byte for byte, to its end. @errors F805, X001 more than most bytes
Result<std::string> readStandardInput(std::size_t most);
/// A whole file, byte for byte. @errors F802 … F805, X001 more than most bytes
Result<std::string> readTextFile(const std::string& path, std::size_t most);

}  // namespace loader::cli
