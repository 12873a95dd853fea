// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Reads the headers of many files in sandboxed workers, a few at a time. A file that kills its worker, or
// that makes it hang, costs that file only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/app/library/folder_walk.h"
#include "core/app/worker_client/worker_client.h"

namespace loader::app {

struct HeaderAnswer {
    protocol::IndexFacts facts;
    std::optional<Error> fault;
    /// Of the file that was read, which may have been replaced since it was found.
    FileIdentity identity;
    /// The answer will be the same next time. Otherwise (no permission, no worker, a file that changes) the
    /// file is asked again at the next look.
    bool lasting = false;
};

/// @thread any: of those that read, one at a time
using ReadProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// One answer for each file, in their order.
/// @errors X002; W604 and W608 where no worker can be started for the first file
Result<std::vector<HeaderAnswer>> readHeaders(std::span<const FoundFile> files, const WorkerOptions& worker,
                                              const ReadProgress& progress, CancelToken cancel);

/// Whether a fault is the file's own, and not of a moment.
bool isLasting(const Error& fault);

}  // namespace loader::app
