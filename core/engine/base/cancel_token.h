// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Asking long work to stop. The flag belongs to whoever may ask; the token is a view on it.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/engine/base/result.h"

namespace loader {

/// @thread any. Setting the flag is safe in a signal handler.
class CancelFlag {
public:
    void request() { m_requested.store(true, std::memory_order_relaxed); }
    void clear() { m_requested.store(false, std::memory_order_relaxed); }
    bool requested() const {
        // One thread looks at a time, as a rule; a look that gets lost does not matter.
        m_looks.store(m_looks.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return m_requested.load(std::memory_order_relaxed);
    }
    /// How often somebody looked: work that looks no more, and has not ended, hangs.
    std::uint64_t looks() const { return m_looks.load(std::memory_order_relaxed); }

private:
    mutable std::atomic<std::uint64_t> m_looks{0};
    std::atomic<bool> m_requested{false};
    static_assert(std::atomic<bool>::is_always_lock_free);
};

/// A default token is never cancelled. The flag must outlive its tokens.
class CancelToken {
public:
    CancelToken() = default;
    CancelToken(const CancelFlag& flag) : m_flag(&flag) {}
    bool cancelled() const { return m_flag && m_flag->requested(); }
    /// X002 once cancelled.
    Status check() const { return cancelled() ? Status(Error(Errc::X002)) : Status(); }

private:
    const CancelFlag* m_flag = nullptr;
};

}  // namespace loader
