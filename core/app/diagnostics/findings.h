// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What of a machine's facts is worth a sentence: what keeps models from running or makes them slow, and what
// to do about it.
#pragma once

#include <string>
#include <vector>

#include "core/app/diagnostics/support_report.h"

namespace loader::app {

struct Finding {
    enum class Weight : std::uint8_t {
        /// Something does not work.
        Problem,
        /// It works, but worse than it could.
        Warning,
        /// Good to know.
        Note,
    };
    Weight weight = Weight::Note;
    /// A stable name: "memory-small".
    std::string id;
    std::string sentence;
    std::string remedy;
};
/// "problem", "warning" or "note".
std::string_view nameOf(Finding::Weight weight);

/// Problems first.
std::vector<Finding> findingsOf(const SupportFacts& facts);

}  // namespace loader::app
