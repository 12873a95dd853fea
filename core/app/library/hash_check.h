// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Whether a file still has the content that its store promised: stores that call blobs by their SHA-256 make
// that check free of any download.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/app/library/library_entry.h"
#include "core/engine/base/cancel_token.h"

namespace loader::app {

using HashProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// The SHA-256 of a file, in small hexadecimal digits. @errors F801 changed meanwhile, F802 … F805, X002
/// @thread any; blocks as long as reading takes
Result<std::string> sha256OfFile(const std::string& path, const HashProgress& progress, CancelToken cancel);

/// One part of an entry.
struct HashOutcome {
    std::string path;
    /// Empty where nobody promised one.
    std::string expected;
    std::string actual;
    /// D312 where they differ; what reading fails with.
    std::optional<Error> fault;
};

/// @param expected in place of what the store promises, for an entry of one file; may be empty
/// @errors X002, D305 no SHA-256
Result<std::vector<HashOutcome>> verifyEntry(const LibraryEntry& entry, const std::string& expected,
                                             const HashProgress& progress, CancelToken cancel);

}  // namespace loader::app
