// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/header_reader.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "core/engine/base/mapped_file.h"

namespace loader::app {
namespace {

/// A second worker pays once it has so many files to read.
constexpr std::size_t kFilesPerWorker = 64;
constexpr std::size_t kMostWorkers = 4;

/// What the threads share.
struct Batch {
    std::span<const FoundFile> files;
    std::vector<HeaderAnswer> answers;
    const WorkerOptions& options;
    const ReadProgress& progress;
    CancelToken cancel;
    std::atomic<std::size_t> next{0};
    std::atomic<std::size_t> done{0};
    std::mutex lock;
    /// Why no worker can be started.
    std::optional<Error> failure;
};

class Reader {
public:
    explicit Reader(Batch& batch) : m_batch(batch) {}

    void run() {
        while (!m_batch.cancel.cancelled()) {
            const std::size_t at = m_batch.next.fetch_add(1);
            if (at >= m_batch.files.size()) return;
            m_batch.answers[at] = answerFor(m_batch.files[at]);
            const std::size_t done = ++m_batch.done;
            if (!m_batch.progress) continue;
            const std::lock_guard guard(m_batch.lock);
            m_batch.progress(done, m_batch.files.size());
        }
    }

private:
    /// A file that is replaced while it is read is read once more.
    HeaderAnswer answerFor(const FoundFile& file) {
        HeaderAnswer answer = readOnce(file);
        if (answer.fault && answer.fault->code() == Errc::F801) answer = readOnce(file);
        return answer;
    }

    HeaderAnswer readOnce(const FoundFile& file) {
        HeaderAnswer answer;
        const std::int64_t before = nowNanoseconds();
        auto source = FileSource::open(file.path);
        if (!source.ok()) {
            answer.fault = Error(source.error().code(), source.error().args());
            answer.identity = file.identity;
            return answer;
        }
        auto facts = ask(**source);
        auto identity = identify(file.path);
        answer.identity = identity.ok() ? *identity : file.identity;
        const auto unchanged = (*source)->checkUnchanged();
        const bool replaced = !identity.ok() || identity->bytes != (*source)->size();
        if (!unchanged.ok() || replaced) {
            answer.fault = Error(Errc::F801);
            return answer;
        }
        if (facts.ok())
            answer.facts = std::move(facts).value();
        else
            answer.fault = std::move(facts).error();
        const bool settled = !isFresh(answer.identity, before);
        answer.lasting = settled && (!answer.fault || isLasting(*answer.fault));
        return answer;
    }

    /// Where a worker dies, once more alone in a fresh one: what killed it may have been the file before.
    Result<protocol::IndexFacts> ask(const FileSource& source) {
        LOADER_CHECK(needWorker());
        const bool fresh = m_asked == 0;
        ++m_asked;
        auto facts = m_worker->readIndex(source);
        if (facts.ok() || !m_worker->death()) return facts;
        m_worker.reset();
        if (fresh) return facts;
        LOADER_CHECK(needWorker());
        ++m_asked;
        facts = m_worker->readIndex(source);
        if (m_worker->death()) m_worker.reset();
        return facts;
    }

    Status needWorker() {
        if (m_worker) return {};
        {
            const std::lock_guard guard(m_batch.lock);
            if (m_batch.failure) return *m_batch.failure;
        }
        auto started = WorkerClient::start(m_batch.options);
        if (!started.ok()) {
            const std::lock_guard guard(m_batch.lock);
            m_batch.failure = started.error();
            return started.error();
        }
        m_worker = std::move(started).value();
        m_asked = 0;
        return {};
    }

    Batch& m_batch;
    std::unique_ptr<WorkerClient> m_worker;
    std::size_t m_asked = 0;
};

}  // namespace

bool isLasting(const Error& fault) {
    switch (fault.code()) {
        // The worker died of the file.
        case Errc::W601:
        case Errc::W605:
        case Errc::W606:
        case Errc::W607: return true;
        default: break;
    }
    return fault.name().rfind("GG", 0) == 0;
}

Result<std::vector<HeaderAnswer>> readHeaders(std::span<const FoundFile> files, const WorkerOptions& worker,
                                              const ReadProgress& progress, CancelToken cancel) {
    Batch batch{files, std::vector<HeaderAnswer>(files.size()), worker, progress, cancel, {}, {}, {}, {}};
    const std::size_t wanted = 1 + files.size() / kFilesPerWorker;
    const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
    const std::size_t count = std::min({wanted, cores, kMostWorkers});
    std::vector<std::thread> threads;
    const auto work = [&batch] {
        try {
            Reader(batch).run();
        } catch (const std::exception& failure) {
            const std::lock_guard guard(batch.lock);
            batch.failure = Error(Errc::X003, {failure.what()});
        }
    };
    for (std::size_t i = 1; i < count; ++i)
        threads.emplace_back(work);
    work();
    for (std::thread& thread : threads)
        thread.join();
    LOADER_CHECK(cancel.check());
    const bool nothing =
        std::all_of(batch.answers.begin(), batch.answers.end(), [](const HeaderAnswer& answer) {
            return answer.fault && answer.fault->name().front() == 'W' && !isLasting(*answer.fault);
        });
    if (batch.failure && nothing && !files.empty()) return *batch.failure;
    return std::move(batch.answers);
}

}  // namespace loader::app
