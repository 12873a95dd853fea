// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How the last loads of models ended, one JSON object in a line: for the support report and for nothing else.
// It holds no prompt, no answer and of a model's path only the file name.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/engine/base/result.h"

namespace loader::app {

/// `logs` in the state folder of this application. @param stateHome XDG_STATE_HOME, where not empty
/// @source XDG Base Directory Specification 0.8
std::string logFolder(const std::string& stateHome, const std::string& home);

/// @thread const; several programs may use one folder
class LoadLog {
public:
    static constexpr std::size_t kMostLines = 200;
    static constexpr std::size_t kMostLineBytes = 64 * 1024;

    explicit LoadLog(std::string folder) : m_folder(std::move(folder)) {}
    std::string path() const { return m_folder + "/loads.jsonl"; }

    /// The oldest lines beyond kMostLines go. @errors F804, F806, X003 longer than kMostLineBytes
    Status append(const nlohmann::ordered_json& entry) const;
    /// The last ones, oldest first; what is no JSON object is left out. Empty where there is no file.
    std::vector<nlohmann::ordered_json> last(std::size_t count) const;

private:
    std::string m_folder;
};

/// The last lines of the newest `*.log` in a folder, and its name; both empty where there is none.
struct LogTail {
    std::string file;
    std::vector<std::string> lines;
};
LogTail logTail(const std::string& folder, std::size_t lines);

}  // namespace loader::app
