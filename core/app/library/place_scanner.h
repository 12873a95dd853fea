// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Goes through all places at once, each in a thread of its own: a drive or a share that does not answer costs
// two seconds, once, and not the others.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "core/app/library/folder_walk.h"
#include "core/engine/base/cancel_token.h"

namespace loader::app {

struct PlaceScan {
    WalkResult found;
    /// C518: it did not answer; nothing is known of it.
    std::optional<Error> unreachable;
};

/// @thread confined to one thread
class PlaceScanner {
public:
    using Walk = std::function<WalkResult(const LibraryPlace&, const KnownFiles&, WalkState&)>;
    static constexpr std::chrono::milliseconds kPatience{2000};

    /// @param walk in place of walkPlace, for tests
    explicit PlaceScanner(Walk walk = walkPlace, std::chrono::milliseconds patience = kPatience);
    ~PlaceScanner();

    /// One answer for each place. A place that hung before and hangs still is not asked again.
    /// @errors X002
    Result<std::vector<PlaceScan>> scan(std::span<const LibraryPlace> places,
                                        const std::shared_ptr<const KnownFiles>& known, CancelToken cancel);

private:
    struct Job;
    std::shared_ptr<Job> start(const LibraryPlace& place,
                               const std::shared_ptr<const KnownFiles>& known) const;

    Walk m_walk;
    std::chrono::milliseconds m_patience;
    /// Threads that were given up, by path.
    std::map<std::string, std::weak_ptr<Job>> m_hanging;
};

}  // namespace loader::app
