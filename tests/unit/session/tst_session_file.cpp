// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/engine/session/session_file.h"

using namespace loader;
using namespace loader::session;

namespace {

using Bytes = std::vector<std::byte>;

Bytes cacheOf(std::size_t count) {
    Bytes bytes(count);
    for (std::size_t i = 0; i < count; ++i)
        bytes[i] = static_cast<std::byte>(i * 37 + 1);
    return bytes;
}

SessionState stateWith(std::span<const std::byte> cache) {
    SessionState state;
    for (std::size_t i = 0; i < state.model.size(); ++i)
        state.model[i] = static_cast<std::uint8_t>(200 + i);
    state.seed = 0x0123456789ABCDEFULL;
    state.sequence = 3;
    state.sampler.mirostatMu = 7.25;
    state.tokens = {0, 5, 99, 42, 1};
    state.cache = cache;
    return state;
}

bool isF807(const Result<SessionState>& result) {
    return !result.ok() && result.error().code() == Errc::F807;
}

}  // namespace

class TestSessionFile : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void whatIsWrittenIsRead();
    void theLayoutIsLittleEndianAndFixed();
    void everyCutIsRefused();
    void everyChangedBitIsRefused();
    void hugeCountsAreRefusedBeforeMemoryIsAsked();
    void otherModelsAndIdsOutsideAreRefused();
};

void TestSessionFile::whatIsWrittenIsRead() {
    for (const std::size_t size : {0U, 1U, 8U, 100U}) {
        const Bytes cache = cacheOf(size);
        const SessionState state = stateWith(cache);
        const Result<Bytes> bytes = encodeSession(state);
        QVERIFY(bytes.ok());
        const Result<SessionState> read = decodeSession(*bytes, {state.model, 100});
        QVERIFY(read.ok());
        QVERIFY(read->model == state.model);
        QCOMPARE(read->seed, state.seed);
        QCOMPARE(read->sequence, state.sequence);
        QCOMPARE(read->sampler.mirostatMu, state.sampler.mirostatMu);
        QCOMPARE(read->tokens, state.tokens);
        QVERIFY(std::equal(read->cache.begin(), read->cache.end(), cache.begin(), cache.end()));
        QCOMPARE((read->cache.data() - bytes->data()) % 64, std::ptrdiff_t{0});
    }
    SessionState empty;
    const Result<Bytes> bytes = encodeSession(empty);
    const Result<SessionState> read = decodeSession(*bytes, {});
    QVERIFY(read.ok() && read->tokens.empty() && std::isnan(read->sampler.mirostatMu));
}

void TestSessionFile::theLayoutIsLittleEndianAndFixed() {
    const Bytes cache = cacheOf(3);
    const Result<Bytes> bytes = encodeSession(stateWith(cache));
    QCOMPARE(bytes->size(), std::size_t{128 + 3});
    QCOMPARE(std::memcmp(bytes->data(), "GGUFSESS\x01\0\0\0\0\0\0\0", 16), 0);
    QCOMPARE(std::memcmp(bytes->data() + 56, "\xEF\xCD\xAB\x89\x67\x45\x23\x01\x03\0\0\0\0\0\0\0", 16), 0);
    QCOMPARE(std::memcmp(bytes->data() + 80, "\x05\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0", 24),
             0);
}

void TestSessionFile::everyCutIsRefused() {
    const Bytes cache = cacheOf(70);
    const SessionState state = stateWith(cache);
    const Bytes bytes = encodeSession(state).value();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        QVERIFY(isF807(decodeSession(cut, {state.model, 100})));
    }
    Bytes longer = bytes;
    longer.push_back(std::byte{0});
    QVERIFY(isF807(decodeSession(longer, {state.model, 100})));
}

void TestSessionFile::everyChangedBitIsRefused() {
    const Bytes cache = cacheOf(70);
    const SessionState state = stateWith(cache);
    const Bytes bytes = encodeSession(state).value();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (unsigned value = 1; value < 256; ++value) {
            Bytes changed = bytes;
            changed[at] ^= static_cast<std::byte>(value);
            QVERIFY(isF807(decodeSession(changed, {state.model, 100})));
        }
    }
}

void TestSessionFile::hugeCountsAreRefusedBeforeMemoryIsAsked() {
    const SessionState state = stateWith({});
    const Bytes bytes = encodeSession(state).value();
    for (const std::size_t field : {80U, 88U}) {
        for (const std::uint64_t count :
             {std::uint64_t{1} << 40U, std::uint64_t{1} << 62U, std::numeric_limits<std::uint64_t>::max()}) {
            Bytes changed = bytes;
            for (std::size_t i = 0; i < 8; ++i)
                changed[field + i] = static_cast<std::byte>(count >> (8 * i) & 0xFFU);
            const Result<SessionState> read = decodeSession(changed, {state.model, 100});
            QVERIFY(isF807(read));
            // Refused for the size, before the checksum was even looked at.
            QVERIFY(read.error().args()[0].find("size") != std::string::npos);
        }
    }
}

void TestSessionFile::otherModelsAndIdsOutsideAreRefused() {
    const SessionState state = stateWith({});
    const Bytes bytes = encodeSession(state).value();
    ModelFingerprint other = state.model;
    other[31] ^= 1U;
    QVERIFY(isF807(decodeSession(bytes, {other, 100})));
    QVERIFY(isF807(decodeSession(bytes, {state.model, 99})));
    SessionState negative = state;
    negative.tokens = {-1};
    QVERIFY(isF807(decodeSession(encodeSession(negative).value(), {state.model, 100})));
}

QTEST_GUILESS_MAIN(TestSessionFile)
#include "tst_session_file.moc"
