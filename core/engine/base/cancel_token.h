// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Asking long work to stop. The flag belongs to whoever may ask; the token is a view on it.
#pragma once

#include <atomic>

#include "core/engine/base/result.h"

namespace loader {

/// @thread any. Setting the flag is safe in a signal handler.
class CancelFlag {
public:
    void request() { m_requested.store(true, std::memory_order_relaxed); }
    void clear() { m_requested.store(false, std::memory_order_relaxed); }
    bool requested() const { return m_requested.load(std::memory_order_relaxed); }

private:
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
