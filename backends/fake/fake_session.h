// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Sessions that misbehave as their script says: one that keeps the tokens of its sequences and predicts the
// script's answer, and one in front of a session that computes.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "backends/api/backend.h"
#include "backends/fake/fake_script.h"

namespace loader::fake {

/// What a model's sessions share.
/// @thread const but for the counter
struct FakeParts {
    const graph::Program& program;
    std::vector<std::uint32_t> segments;
    FakeScript script;
    mutable std::atomic<CallNumber> calls{0};
};

/// Sleeps, in slices short enough to notice a wish to stop. @errors X002
Status waitFor(double milliseconds, CancelToken cancel);

/// What goes wrong at the next call of forward() over `items` items, and the time that it takes.
/// @errors what the script says, X002
Status misbehave(const FakeParts& parts, std::size_t items, CancelToken cancel);

/// How far back a sequence can go: anywhere, or as recurrent state does (FakeScript::checkpoint).
class Checkpoints {
public:
    Checkpoints(std::uint32_t interval, unsigned sequences) : m_interval(interval), m_starts(sequences, 0) {}
    void forwardBegins(std::uint32_t sequence, std::uint32_t length) { m_starts[sequence] = length; }
    std::uint32_t reachable(std::uint32_t sequence, std::uint32_t length, std::uint32_t position) const {
        if (position >= length) return length;
        if (m_interval == 0 || position == m_starts[sequence]) return position;
        return position / m_interval * m_interval;
    }

private:
    std::uint32_t m_interval;
    /// [sequence], where the last call of forward() began
    std::vector<std::uint32_t> m_starts;
};

/// parts must outlive the session. @param computing gives the numbers; none: the script does
/// @errors what the script says
Result<std::unique_ptr<backend::Session>> makeFakeSession(const FakeParts& parts,
                                                          const backend::SessionOptions& options,
                                                          std::unique_ptr<backend::Session> computing);
/// A session in front of one that computes.
std::unique_ptr<backend::Session> makeComputingSession(const FakeParts& parts,
                                                       const backend::SessionOptions& options,
                                                       std::unique_ptr<backend::Session> computing);

}  // namespace loader::fake
