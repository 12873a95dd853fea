// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QTemporaryDir>
#include <QTest>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/engine/base/cancel_token.h"
#include "core/engine/base/checked.h"
#include "core/engine/base/half.h"
#include "core/engine/base/mapped_file.h"
#include "core/engine/base/thread_pool.h"
#include "core/engine/base/utf8.h"
#include "tests/support/shared_data.h"

#ifndef _WIN32
#include <sys/stat.h>
#endif

using namespace loader;

class TestBase : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void errorCarriesSentencePlaceAndAction();
    void tryHandsErrorsOn();
    void checkedArithmeticNeverWraps();
    void everyHalfSurvivesARoundTrip();
    void floatToHalfRoundsToNearestEven();
    void utf8RefusesWhatUnicodeRefuses();
    void completePrefixKeepsUnfinishedCharactersBack();
    void fileSourceRefusesWhatIsNoFile();
    void fileSourceNoticesAChange();
    void poolRunsEveryMemberAndBarriersOrder();
    void sharesCoverEverythingOnce();
    void cancelTokenSeesTheFlag();
};

void TestBase::errorCarriesSentencePlaceAndAction() {
    const Error error = Error(Errc::GG055, {"a", "10", "5"}, "offset 7").within("m.gguf");
    QCOMPARE(std::string(error.name()), std::string("GG055"));
    QCOMPARE(error.message(),
             std::string("The data of tensor a ends beyond the file: it needs 10 bytes, the file has 5."));
    QCOMPARE(error.place(), std::string("m.gguf: offset 7"));
    QVERIFY(!error.action().empty());
    QVERIFY(error.kind() == ErrorKind::CorruptData);
}

void TestBase::tryHandsErrorsOn() {
    const auto inner = [](bool good) -> Result<int> {
        if (good) return 3;
        return Error(Errc::X002);
    };
    const auto outer = [&](bool good) -> Result<int> {
        LOADER_TRY(const int value, inner(good));
        return value + 1;
    };
    QCOMPARE(outer(true).value(), 4);
    QVERIFY(outer(false).error().code() == Errc::X002);
}

void TestBase::checkedArithmeticNeverWraps() {
    constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
    QVERIFY(!checkedAdd<std::uint64_t>(kMax, 1));
    QVERIFY(!checkedMul<std::uint64_t>(1ull << 32, 1ull << 32));
    QVERIFY(!checkedRoundUp<std::uint64_t>(kMax - 3, 32));
    QCOMPARE(*checkedRoundUp<std::uint64_t>(33, 32), std::uint64_t(64));
    QVERIFY(!(checkedCast<std::int32_t>(std::uint64_t(1) << 31)));
}

void TestBase::everyHalfSurvivesARoundTrip() {
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
        const float value = halfToFloat(static_cast<std::uint16_t>(bits));
        if (std::isnan(value)) {
            QVERIFY(std::isnan(halfToFloat(floatToHalf(value))));
        } else {
            QCOMPARE(unsigned(floatToHalf(value)), bits);
        }
    }
}

void TestBase::floatToHalfRoundsToNearestEven() {
    QCOMPARE(int(floatToHalf(1.0f + 0x1p-11f)), 0x3C00);      // tie, even below
    QCOMPARE(int(floatToHalf(1.0f + 3 * 0x1p-11f)), 0x3C02);  // tie, even above
    QCOMPARE(int(floatToHalf(65519.0f)), 0x7BFF);
    QCOMPARE(int(floatToHalf(65520.0f)), 0x7C00);
    QCOMPARE(int(floatToHalf(0x1p-25f)), 0);  // tie to even zero
    QCOMPARE(int(floatToHalf(-0x1.8p-25f)), 0x8001);
    QCOMPARE(int(floatToBfloat16(1.0f + 0x1p-8f)), 0x3F80);
    QCOMPARE(int(floatToBfloat16(1.0f + 3 * 0x1p-8f)), 0x3F82);
}

void TestBase::utf8RefusesWhatUnicodeRefuses() {
    using namespace std::string_view_literals;
    QVERIFY(utf8::isValid("aé€😀"));
    for (const std::string_view bad : {"\xC0\x80"sv, "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv, "\xFF"sv,
                                       "\xE2\x82"sv, "\x80"sv, "\xF0\x80\x80\x80"sv}) {
        QVERIFY(!utf8::isValid(bad));
    }
    for (char32_t codePoint : {0x24u, 0x7FFu, 0x800u, 0xFFFDu, 0x10000u, 0x10FFFFu}) {
        std::string text;
        utf8::append(text, codePoint);
        const utf8::Decoded back = utf8::decode(text);
        QVERIFY(back.valid && back.codePoint == codePoint && back.length == text.size());
    }
}

void TestBase::completePrefixKeepsUnfinishedCharactersBack() {
    const std::string text = "a😀";
    QCOMPARE(utf8::completePrefix(text), text.size());
    for (std::size_t cut = 2; cut < text.size(); ++cut)
        QCOMPARE(utf8::completePrefix(text.substr(0, cut)), std::size_t(1));
    // Bytes that can never become a character are not kept back.
    QCOMPARE(utf8::completePrefix("a\xFF"), std::size_t(2));
    QCOMPARE(utf8::completePrefix("a\xE0\x80"), std::size_t(3));
}

void TestBase::fileSourceRefusesWhatIsNoFile() {
    QTemporaryDir folder;
    QVERIFY(FileSource::open(folder.path().toStdString()).error().code() == Errc::F803);
    QVERIFY(FileSource::open(folder.filePath("absent").toStdString()).error().code() == Errc::F802);
#ifndef _WIN32
    QVERIFY(FileSource::open("/dev/zero").error().code() == Errc::F803);
    const std::string pipe = folder.filePath("pipe").toStdString();
    QCOMPARE(::mkfifo(pipe.c_str(), 0600), 0);
    QVERIFY(FileSource::open(pipe).error().code() == Errc::F803);
#endif
}

void TestBase::fileSourceNoticesAChange() {
    QTemporaryDir folder;
    const QString path = folder.filePath("f");
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("0123456789");
    file.close();
    auto source = FileSource::open(path.toStdString());
    QVERIFY(source.ok());
    QVERIFY((*source)->checkUnchanged().ok());
    std::byte buffer[4];
    QVERIFY((*source)->read(6, buffer).ok());
    QCOMPARE(std::memcmp(buffer, "6789", 4), 0);
    QVERIFY((*source)->read(7, buffer).error().code() == Errc::F805);
    QVERIFY(QFile::resize(path, 3));
    QVERIFY((*source)->checkUnchanged().error().code() == Errc::F801);
}

void TestBase::poolRunsEveryMemberAndBarriersOrder() {
    for (unsigned threads : {1u, 2u, 3u, 5u}) {
        ThreadPool pool(threads);
        for (int round = 0; round < 200; ++round) {
            std::vector<unsigned> before(threads, 0), sums(threads, 0);
            pool.run([&](TeamMember& member) {
                before[member.index()] = member.index() + 1;
                member.barrier();
                for (unsigned value : before)
                    sums[member.index()] += value;
            });
            for (unsigned sum : sums)
                QCOMPARE(sum, threads * (threads + 1) / 2);
        }
    }
}

void TestBase::sharesCoverEverythingOnce() {
    ThreadPool pool(3);
    for (std::size_t total : {0u, 1u, 7u, 32u, 100u}) {
        for (std::size_t grain : {1u, 8u, 32u}) {
            std::vector<std::atomic<int>> hits(total);
            pool.run([&](TeamMember& member) {
                const auto range = member.share(total, grain);
                for (std::size_t i = range.begin; i < range.end; ++i)
                    ++hits[i];
            });
            for (const auto& hit : hits)
                QCOMPARE(hit.load(), 1);
        }
    }
}

void TestBase::cancelTokenSeesTheFlag() {
    CancelFlag flag;
    const CancelToken token(flag);
    QVERIFY(token.check().ok());
    flag.request();
    QVERIFY(token.check().error().code() == Errc::X002);
    QVERIFY(!CancelToken().cancelled());
}

QTEST_APPLESS_MAIN(TestBase)
#include "tst_base.moc"
