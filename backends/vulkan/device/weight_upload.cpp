// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/weight_upload.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "core/engine/base/thread_pool.h"

namespace loader::vulkan {
namespace {

constexpr std::uint64_t kBatchBytes = 16 << 20;
constexpr std::size_t kMostStaging = 4;
constexpr unsigned kLeastReaders = 2;
constexpr unsigned kMostReaders = 4;
/// Readers look so often whether to go on: a page of the file may have to come from a slow disk.
constexpr std::uint64_t kReadBytes = 1 << 20;
constexpr auto kLookAgain = std::chrono::milliseconds(20);

/// A range that goes to one buffer.
struct Part {
    const std::byte* from = nullptr;
    std::uint64_t bytes = 0;
    const DeviceBuffer* to = nullptr;
    std::uint64_t offset = 0;
};

/// What one staging buffer takes at once.
struct Batch {
    std::vector<Part> parts;
    std::uint64_t bytes = 0;
};

Status checkPieces(std::span<const UploadPiece> pieces) {
    for (const UploadPiece& piece : pieces) {
        const bool fits = piece.to != nullptr && piece.offset <= piece.to->bytes() &&
                          piece.from.size() <= piece.to->bytes() - piece.offset;
        if (!fits) return Error(Errc::X003, {"an upload reaches beyond its buffer"});
    }
    return {};
}

/// Long pieces are cut, short ones share a batch.
std::vector<Batch> batchesOf(std::span<const UploadPiece> pieces) {
    std::vector<Batch> batches;
    for (const UploadPiece& piece : pieces) {
        for (std::uint64_t at = 0; at < piece.from.size();) {
            if (batches.empty() || batches.back().bytes == kBatchBytes) batches.emplace_back();
            Batch& batch = batches.back();
            const std::uint64_t bytes =
                std::min<std::uint64_t>(kBatchBytes - batch.bytes, piece.from.size() - at);
            batch.parts.push_back({piece.from.data() + at, bytes, piece.to, piece.offset + at});
            batch.bytes += bytes;
            at += bytes;
        }
    }
    return batches;
}

/// Copies in portions. @return false where it was told to stop
bool copyUnlessStopped(const std::byte* from, std::byte* to, std::uint64_t bytes,
                       const std::atomic<bool>& stop) {
    for (std::uint64_t at = 0; at < bytes; at += kReadBytes) {
        if (stop.load(std::memory_order_relaxed)) return false;
        std::memcpy(to + at, from + at, std::min(kReadBytes, bytes - at));
    }
    return true;
}

/// The work of all threads: members 1 and up read, member 0 (the caller) does all else. Where the system
/// gives no further thread the caller reads too.
class Upload {
public:
    Upload(ComputeDevice& device, std::span<const Batch> batches, backend::Progress* progress,
           CancelToken cancel)
        : m_device(device), m_batches(batches), m_progress(progress), m_cancel(cancel) {
        for (const Batch& batch : batches)
            m_totalBytes += batch.bytes;
    }

    /// Makes the staging buffers. Without them every batch is written straight to its place.
    Status stage();
    Status run();

private:
    struct Staging {
        DeviceBuffer buffer;
        vk::CommandBuffer commands;
    };
    struct Full {
        std::size_t staging = 0;
        std::size_t batch = 0;
    };

    bool isStaged() const { return !m_staging.empty(); }
    void readAll();
    bool readOne();
    std::optional<Full> takeEmpty();
    bool fill(const Full& full);
    Status lead(bool alone);
    Status finish(const std::vector<Full>& full);
    Status record(const Full& full);
    std::vector<Full> takeFull();

    ComputeDevice& m_device;
    std::span<const Batch> m_batches;
    backend::Progress* m_progress;
    CancelToken m_cancel;
    std::uint64_t m_totalBytes = 0;
    std::uint64_t m_doneBytes = 0;
    Unique<vk::CommandPool> m_pool;
    std::vector<Staging> m_staging;
    std::atomic<bool> m_stop{false};

    std::mutex m_mutex;
    std::condition_variable m_emptied;
    std::condition_variable m_filled;
    std::vector<std::size_t> m_empty;
    std::deque<Full> m_full;
    std::size_t m_nextBatch = 0;
};

Status Upload::stage() {
    auto pool = m_device.handle().createCommandPoolUnique(
        vk::CommandPoolCreateInfo(vk::CommandPoolCreateFlagBits::eResetCommandBuffer, m_device.queueFamily()),
        nullptr, m_device.dispatch());
    if (pool.result != vk::Result::eSuccess) return m_device.failure(pool.result, "vkCreateCommandPool");
    m_pool = std::move(pool.value);
    const std::size_t count = std::min(kMostStaging, m_batches.size());
    const auto commands = m_device.handle().allocateCommandBuffers(
        vk::CommandBufferAllocateInfo(*m_pool, vk::CommandBufferLevel::ePrimary,
                                      static_cast<std::uint32_t>(count)),
        m_device.dispatch());
    if (commands.result != vk::Result::eSuccess)
        return m_device.failure(commands.result, "vkAllocateCommandBuffers");
    for (std::size_t i = 0; i < count; ++i) {
        // Only the last batch is not full: the first is as long as any.
        Staging staging{{}, commands.value[i]};
        LOADER_TRY(staging.buffer, DeviceBuffer::make(m_device, m_batches.front().bytes, MemoryUse::Upload));
        m_staging.push_back(std::move(staging));
        m_empty.push_back(i);
    }
    return {};
}

Status Upload::run() {
    const unsigned readers = std::clamp(std::thread::hardware_concurrency(), kLeastReaders, kMostReaders);
    ThreadPool team(1 + static_cast<unsigned>(std::min<std::size_t>(readers, m_batches.size())));
    Status status;
    team.run([&](TeamMember& member) {
        if (member.index() != 0) return readAll();
        status = lead(member.count() == 1);
        m_stop.store(true, std::memory_order_relaxed);
        const std::lock_guard lock(m_mutex);
        m_emptied.notify_all();
    });
    return status;
}

void Upload::readAll() {
    while (readOne()) {
    }
}

/// Reads one batch. @return false where there is nothing left to read
bool Upload::readOne() {
    const std::optional<Full> mine = takeEmpty();
    if (!mine || !fill(*mine)) return false;
    const std::lock_guard lock(m_mutex);
    m_full.push_back(*mine);
    m_filled.notify_one();
    return true;
}

/// The next batch and, where it is staged, a buffer for it.
std::optional<Upload::Full> Upload::takeEmpty() {
    std::unique_lock lock(m_mutex);
    m_emptied.wait(lock, [this] {
        return m_stop.load(std::memory_order_relaxed) || m_nextBatch == m_batches.size() || !isStaged() ||
               !m_empty.empty();
    });
    if (m_stop.load(std::memory_order_relaxed) || m_nextBatch == m_batches.size()) return std::nullopt;
    Full full;
    full.batch = m_nextBatch++;
    if (m_nextBatch == m_batches.size()) m_emptied.notify_all();
    if (!isStaged()) return full;
    full.staging = m_empty.back();
    m_empty.pop_back();
    return full;
}

bool Upload::fill(const Full& full) {
    std::uint64_t at = 0;
    for (const Part& part : m_batches[full.batch].parts) {
        std::byte* to = isStaged() ? m_staging[full.staging].buffer.mapped().data() + at
                                   : part.to->mapped().data() + part.offset;
        if (!copyUnlessStopped(part.from, to, part.bytes, m_stop)) return false;
        at += part.bytes;
    }
    return true;
}

Status Upload::lead(bool alone) {
    for (std::size_t done = 0; done < m_batches.size();) {
        LOADER_CHECK(m_cancel.check());
        if (alone) readOne();
        const std::vector<Full> full = takeFull();
        if (full.empty()) continue;
        LOADER_CHECK(finish(full));
        done += full.size();
        for (const Full& one : full)
            m_doneBytes += m_batches[one.batch].bytes;
        if (m_progress != nullptr) m_progress->report(m_doneBytes, m_totalBytes);
    }
    return {};
}

/// All that are read by now; nothing where none came for a while.
std::vector<Upload::Full> Upload::takeFull() {
    std::unique_lock lock(m_mutex);
    m_filled.wait_for(lock, kLookAgain, [this] { return !m_full.empty(); });
    std::vector<Full> full(m_full.begin(), m_full.end());
    m_full.clear();
    return full;
}

/// Brings what was read to its place, by one submission where it is staged.
Status Upload::finish(const std::vector<Full>& full) {
    if (!isStaged()) {
        for (const Full& one : full) {
            for (const Part& part : m_batches[one.batch].parts)
                LOADER_CHECK(part.to->flush(part.offset, part.bytes));
        }
        return {};
    }
    std::vector<vk::CommandBuffer> commands;
    for (const Full& one : full) {
        LOADER_CHECK(record(one));
        commands.push_back(m_staging[one.staging].commands);
    }
    LOADER_CHECK(m_device.submitAndWait(commands));
    const std::lock_guard lock(m_mutex);
    for (const Full& one : full)
        m_empty.push_back(one.staging);
    m_emptied.notify_all();
    return {};
}

Status Upload::record(const Full& full) {
    const Staging& staging = m_staging[full.staging];
    const Dispatch& dispatch = m_device.dispatch();
    vk::Result result = staging.commands.begin(
        vk::CommandBufferBeginInfo(vk::CommandBufferUsageFlagBits::eOneTimeSubmit), dispatch);
    if (result != vk::Result::eSuccess) return m_device.failure(result, "vkBeginCommandBuffer");
    std::uint64_t at = 0;
    for (const Part& part : m_batches[full.batch].parts) {
        staging.commands.copyBuffer(staging.buffer.handle(), part.to->handle(),
                                    vk::BufferCopy(at, part.offset, part.bytes), dispatch);
        at += part.bytes;
    }
    m_device.fullBarrier(staging.commands);
    result = staging.commands.end(dispatch);
    return result == vk::Result::eSuccess ? Status() : m_device.failure(result, "vkEndCommandBuffer");
}

}  // namespace

Status uploadAll(ComputeDevice& device, std::span<const UploadPiece> pieces, backend::Progress* progress,
                 CancelToken cancel) {
    LOADER_CHECK(device.check());
    LOADER_CHECK(cancel.check());
    LOADER_CHECK(checkPieces(pieces));
    const std::vector<Batch> batches = batchesOf(pieces);
    if (batches.empty()) return {};
    Upload upload(device, batches, progress, cancel);
    const bool direct = device.limits().unified &&
                        std::none_of(pieces.begin(), pieces.end(),
                                     [](const UploadPiece& piece) { return piece.to->mapped().empty(); });
    if (!direct) LOADER_CHECK(upload.stage());
    return upload.run();
}

}  // namespace loader::vulkan
