// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What opening a file may cost: memory in proportion to the bytes read, and time that is not quadratic.

#include <QElapsedTimer>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "core/engine/gguf/file.h"
#include "tests/support/malformed_gguf.h"
#include "tests/support/raw_gguf.h"

namespace {

std::atomic<std::size_t> liveBytes{0};
std::atomic<std::size_t> peakBytes{0};
/// In front of every block, keeps its alignment.
constexpr std::size_t kHeadBytes = 16;

void* countedAllocation(std::size_t size) {
    auto* block = static_cast<std::size_t*>(std::malloc(size + kHeadBytes));
    if (!block) throw std::bad_alloc();
    *block = size;
    const std::size_t live = liveBytes += size;
    std::size_t peak = peakBytes;
    while (live > peak && !peakBytes.compare_exchange_weak(peak, live)) {
    }
    return reinterpret_cast<std::byte*>(block) + kHeadBytes;
}

void countedRelease(void* pointer) {
    if (!pointer) return;
    auto* block = reinterpret_cast<std::size_t*>(static_cast<std::byte*>(pointer) - kHeadBytes);
    liveBytes -= *block;
    std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
    return countedAllocation(size);
}
void operator delete(void* pointer) noexcept {
    countedRelease(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept {
    countedRelease(pointer);
}

using namespace loader;
using namespace loader::gguf;
using namespace loader::test;

namespace {

/// Remembers how much of the source was read.
class CountingSource final : public ByteSource {
public:
    explicit CountingSource(const ByteSource& source) : m_source(source) {}
    std::uint64_t size() const override { return m_source.size(); }
    Status read(std::uint64_t offset, std::span<std::byte> out) const override {
        m_read = std::max<std::uint64_t>(m_read, offset + out.size());
        return m_source.read(offset, out);
    }
    std::uint64_t bytesRead() const { return m_read; }

private:
    const ByteSource& m_source;
    mutable std::uint64_t m_read = 0;
};

struct Cost {
    std::uint64_t bytesRead = 0;
    std::uint64_t peakBytes = 0;
    std::uint64_t keptBytes = 0;
    bool accepted = false;
};

Cost costOfParsing(const HoledFile& content) {
    const HoledSource holed(content);
    const CountingSource source(holed);
    const std::size_t before = liveBytes;
    peakBytes = before;
    Cost cost;
    {
        const auto result = File::parse(source);
        cost.keptBytes = liveBytes - before;
        cost.accepted = result.ok();
    }
    cost.peakBytes = peakBytes - before;
    cost.bytesRead = source.bytesRead();
    return cost;
}

HoledFile holed(std::vector<std::byte> bytes, std::uint64_t size = 0) {
    HoledFile file;
    file.size = std::max<std::uint64_t>(size, bytes.size());
    file.bytes = std::move(bytes);
    return file;
}

constexpr std::uint64_t kSlack = 1024 * 1024;

/// Three letters are enough for 100 000 names.
std::string shortName(unsigned number) {
    static constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    std::string name;
    for (int i = 0; i < 3; ++i, number /= 62)
        name += kLetters[number % 62];
    return name;
}

}  // namespace

// The bound is meant for the program as it is shipped; instrumented code is several times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOADER_INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOADER_INSTRUMENTED 1
#endif
#endif
#ifdef LOADER_INSTRUMENTED
constexpr qint64 kQuickMilliseconds = 1000;
#else
constexpr qint64 kQuickMilliseconds = 100;
#endif

class TestGgufMemory : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyCaseStaysInProportion();
    void theSmallestEntriesStayInProportion();
    void theSmallestTensorsStayInProportion();
    void aMillionEmptyTextsStayBelowTwiceTheFile();
    void promisesOfASparseFileCostNothing();
    void twentyThousandKeysAreQuick();
};

void TestGgufMemory::everyCaseStaysInProportion() {
    for (const MalformedCase& one : malformedCases()) {
        const Cost cost = costOfParsing(one.build());
        const QString what = QStringLiteral("case %1: %2 bytes for %3 read")
                                 .arg(one.number)
                                 .arg(cost.peakBytes)
                                 .arg(cost.bytesRead);
        QVERIFY2(cost.peakBytes <= 4 * cost.bytesRead + kSlack, qPrintable(what));
    }
}

void TestGgufMemory::theSmallestEntriesStayInProportion() {
    RawFile file;
    for (unsigned i = 0; i < 100'000; ++i)
        file.entry(rawEntry(shortName(i), kRawU8, RawBytes().u8(1)));
    const Cost cost = costOfParsing(holed(file.bytes()));
    QVERIFY(cost.accepted);
    QVERIFY2(cost.peakBytes <= 4 * cost.bytesRead + kSlack, qPrintable(QString::number(cost.peakBytes)));
}

void TestGgufMemory::theSmallestTensorsStayInProportion() {
    RawFile file;
    for (unsigned i = 0; i < 100'000; ++i)
        file.tensors.push_back({shortName(i), {1}, 24, std::uint64_t(i) * 32});
    file.dataBytes = 0;
    const auto head = file.bytes();
    const Cost cost = costOfParsing(holed(head, head.size() + 100'000ull * 32));
    QVERIFY(cost.accepted);
    QVERIFY2(cost.peakBytes <= 4 * cost.bytesRead + kSlack, qPrintable(QString::number(cost.peakBytes)));
}

void TestGgufMemory::aMillionEmptyTextsStayBelowTwiceTheFile() {
    const HoledFile content = malformedCases()[115].build();
    const Cost cost = costOfParsing(content);
    QVERIFY(cost.accepted);
    // One border per text: the counters do count what the engine allocates.
    QVERIFY(cost.keptBytes >= 4'000'000);
    QVERIFY2(cost.peakBytes < 2 * content.size, qPrintable(QString::number(cost.peakBytes)));
}

/// Counts that the size of a sparse file would allow must not make the reader ask for memory.
void TestGgufMemory::promisesOfASparseFileCostNothing() {
    RawFile file;
    file.entry(rawArray("tokens", kRawText, 16'000'000, RawBytes().u64(1'000'000)));
    const Cost cost = costOfParsing(holed(file.bytes(), std::uint64_t(1) << 36));
    QVERIFY(!cost.accepted);
    QVERIFY2(cost.peakBytes <= 4 * cost.bytesRead + kSlack, qPrintable(QString::number(cost.peakBytes)));
}

void TestGgufMemory::twentyThousandKeysAreQuick() {
    const HoledFile content = malformedCases()[69].build();
    qint64 best = std::numeric_limits<qint64>::max();
    for (int round = 0; round < 5; ++round) {
        QElapsedTimer timer;
        timer.start();
        const auto result = File::parse(HoledSource(content));
        best = std::min(best, timer.elapsed());
        QVERIFY(result.ok());
    }
    QVERIFY2(best < kQuickMilliseconds, qPrintable(QString::number(best)));
}

QTEST_GUILESS_MAIN(TestGgufMemory)
#include "tst_gguf_memory.moc"
