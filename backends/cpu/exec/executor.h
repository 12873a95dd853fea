// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Runs one step (at most batchTokens items) of the planned operations on a team of threads, and hands out the
// result.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backends/cpu/exec/step_state.h"
#include "core/engine/base/thread_pool.h"

namespace loader::cpu {

/// @thread confined to its session
class Executor {
public:
    /// @errors R901
    static Result<std::unique_ptr<Executor>> create(const ExecutorContext& context, std::size_t batchTokens,
                                                    unsigned threads);

    /// Appends its output to `out`. The items continue their sequences; the caller has checked them.
    /// @errors X002
    Status step(std::span<const backend::BatchItem> items, std::span<const std::uint32_t> visibleEnds,
                KvCache& cache, const backend::OutputRequest& request, backend::ForwardOutput& out,
                CancelToken cancel);

private:
    Executor(const ExecutorContext& context, unsigned threads) : m_context(context), m_pool(threads) {}
    Status allocate(std::size_t batchTokens);
    Result<std::vector<SlotRows>> makeLocalRows() const;
    Status allocateAngles(std::size_t batchTokens);
    Status allocateExperts(std::size_t batchTokens);
    void makeTiles();
    void appendHidden();

    ExecutorContext m_context;
    ThreadPool m_pool;
    StepState m_state;
    std::vector<MemberScratch> m_scratch;
    std::uint32_t m_tileTokens = 1;
};

}  // namespace loader::cpu
