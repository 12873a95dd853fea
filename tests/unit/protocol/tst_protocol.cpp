// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif

#include <QCoreApplication>
#include <QTest>

#include "core/engine/base/mapped_file.h"
#include "core/protocol/channel.h"
#include "core/protocol/session.h"
#include "core/protocol/shared_memory.h"

namespace loader::protocol {
namespace {

Descriptor duplicate(std::intptr_t descriptor) {
#ifdef _WIN32
    const HANDLE self = GetCurrentProcess();
    HANDLE copy = nullptr;
    DuplicateHandle(self, reinterpret_cast<HANDLE>(descriptor), self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS);
    return Descriptor(reinterpret_cast<std::intptr_t>(copy));
#else
    return Descriptor(::dup(static_cast<int>(descriptor)));
#endif
}

}  // namespace

class ProtocolTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void numbersAndTexts();
    void errorsKeepTheirCode();
    void whatDoesNotFitIsRefused();
    void samplingSettingsArrive();
    void framesInAnyPieces();
    void framesThatAreNone_data();
    void framesThatAreNone();
    void channelCarriesFiles();
    void channelNeverWaitsTooLong();
    void sharedMemoryKeepsItsSize();
    void requestsEndOnce();
    void whatIsNotOpenIsRefused();
};

void ProtocolTest::numbersAndTexts() {
    LoadRequest request;
    request.path = "/models/Zürich.gguf";
    request.contextTokens = 8192;
    request.gpuLayers = {GpuLayers::Kind::Number, 12};
    request.kv = graph::KvType::Q8_0;
    request.available = AvailableMemory{1ull << 40, "free memory"};
    request.overrides = {"a", "", "b"};
    const auto bytes = encode(request);
    const auto back = decode<LoadRequest>(bytes);
    QVERIFY(back);
    QCOMPARE(back->path, request.path);
    QCOMPARE(back->gpuLayers.number, 12u);
    QCOMPARE(back->kv, graph::KvType::Q8_0);
    QCOMPARE(back->available->bytes, 1ull << 40);
    QCOMPARE(back->overrides, request.overrides);
    QCOMPARE(encode(*back), bytes);
    for (std::size_t length = 0; length < bytes.size(); ++length)
        QVERIFY(!decode<LoadRequest>(std::span(bytes).first(length)));
}

void ProtocolTest::errorsKeepTheirCode() {
    const Failed failed{{Error(Errc::M140, {"1", "2", "3", "4"}, "here")},
                        {{"cpu", "cpu", 3, "failed", "why"}}};
    const auto back = decode<Failed>(encode(failed));
    QVERIFY(back);
    QCOMPARE(back->error.front().toString(), failed.error.front().toString());
    QCOMPARE(back->steps.front().gpuLayers, 3u);
    // A code that there is not.
    auto bytes = encode(failed);
    bytes[8] = std::byte{'Z'};
    QVERIFY(!decode<Failed>(bytes));
    // Bytes that are no text become text.
    const Failed odd{{Error(Errc::X001, {"\xFF\xFE"})}, {}};
    QVERIFY(decode<Failed>(encode(odd)));
}

void ProtocolTest::whatDoesNotFitIsRefused() {
    const auto bytes = encode(Prepared{{1, 2, 3}, true});
    auto longer = bytes;
    longer.push_back(std::byte{0});
    QVERIFY(!decode<Prepared>(longer));
    auto many = bytes;
    many[3] = std::byte{0x40};  // a billion ids
    QVERIFY(!decode<Prepared>(many));
    auto flag = bytes;
    flag.back() = std::byte{2};
    QVERIFY(!decode<Prepared>(flag));
}

void ProtocolTest::samplingSettingsArrive() {
    Generate message;
    message.options.sampling.temperature = 0.25F;
    message.options.sampling.logitBias = {{5, -1.5F}, {9, 2.0F}};
    message.options.sampling.drySequenceBreakers = {"x"};
    message.options.sampling.seed = 0xFFFFFFFFFFFFFFFF;
    message.options.sampling.order = {sampling::SamplerStage{}};
    message.options.maxTokens = 77;
    message.options.stops = {"\n\n"};
    const auto back = decode<Generate>(encode(message));
    QVERIFY(back);
    QCOMPARE(back->options.sampling.logitBias.size(), std::size_t{2});
    QCOMPARE(back->options.sampling.logitBias[1].bias, 2.0F);
    QCOMPARE(back->options.sampling.seed, message.options.sampling.seed);
    QCOMPARE(back->options.sampling.order.size(), std::size_t{1});
    QCOMPARE(*back->options.maxTokens, std::uint64_t{77});
    QCOMPARE(encode(*back), encode(message));
}

void ProtocolTest::framesInAnyPieces() {
    std::vector<std::byte> stream;
    for (std::uint32_t i = 0; i < 20; ++i) {
        const auto bytes =
            encodeFrame({MessageType::Piece, i, 0, encode(Piece{i, 5, std::string(i, 'a')}), 0});
        stream.insert(stream.end(), bytes.begin(), bytes.end());
    }
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{21}, stream.size()}) {
        FrameParser parser(Sender::Worker);
        std::uint32_t count = 0;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            QVERIFY(parser.push(std::span(stream).subspan(at, std::min(step, stream.size() - at))).ok());
            while (const auto frame = parser.next())
                QCOMPARE(frame->request, count++);
        }
        QCOMPARE(count, 20u);
        QVERIFY(parser.atBorder());
    }
}

void ProtocolTest::framesThatAreNone_data() {
    QTest::addColumn<int>("place");
    QTest::addColumn<int>("value");
    QTest::newRow("magic") << 0 << 0x00;
    QTest::newRow("type of the application") << 4 << 1;
    QTest::newRow("unknown type") << 4 << 200;
    QTest::newRow("descriptors") << 6 << 1;
    QTest::newRow("too long") << 19 << 0x7F;
}

void ProtocolTest::framesThatAreNone() {
    QFETCH(int, place);
    QFETCH(int, value);
    auto bytes = encodeFrame({MessageType::Pong, 0, 0, encode(Pong{}), 0});
    bytes[static_cast<std::size_t>(place)] = static_cast<std::byte>(value);
    FrameParser parser(Sender::Worker);
    QCOMPARE(parser.push(bytes).error().code(), Errc::W601);
    QVERIFY(!parser.next());
    // Nothing more comes out, whatever follows.
    QVERIFY(!parser.push(encodeFrame({MessageType::Pong, 0, 0, encode(Pong{}), 0})).ok());
}

void ProtocolTest::channelCarriesFiles() {
    auto ends = makeStream();
    QVERIFY(ends.ok());
    Channel application(std::move(ends->first), Sender::Worker);
    Channel worker(std::move(ends->second), Sender::Application);
    const auto file = FileSource::open(QCoreApplication::applicationFilePath().toStdString());
    QVERIFY(file.ok());
    const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    const std::intptr_t handles[] = {(*file)->descriptor(), (*file)->descriptor()};
    QVERIFY(application.setPeer(QCoreApplication::applicationPid()).ok());
    QVERIFY(worker.setPeer(QCoreApplication::applicationPid()).ok());
    QVERIFY(application.send({MessageType::Ping, 0, 0, encode(Ping{1}), 0}, {}, soon).ok());
    QVERIFY(application.send({MessageType::Score, 3, 0, encode(Score{}), 0}, handles, soon).ok());
    auto first = worker.receive(soon);
    QVERIFY(first.ok() && *first);
    QVERIFY((*first)->descriptors.empty());
    auto second = worker.receive(soon);
    QVERIFY(second.ok() && *second);
    QCOMPARE((*second)->descriptors.size(), std::size_t{2});
    auto again = FileSource::adopt((*second)->descriptors.front().release(), "same");
    QVERIFY(again.ok());
    QCOMPARE((*again)->size(), (*file)->size());
    // Nothing opened by a worker is let in.
    QVERIFY(
        worker.send({MessageType::Pong, 0, 0, encode(Pong{}), 0}, std::span(handles).first(1), soon).ok());
    QCOMPARE(application.receive(soon).error().code(), Errc::W601);
}

void ProtocolTest::channelNeverWaitsTooLong() {
    auto ends = makeStream();
    QVERIFY(ends.ok());
    Channel application(std::move(ends->first), Sender::Worker);
    const auto start = std::chrono::steady_clock::now();
    auto nothing = application.receive(start + std::chrono::milliseconds(50));
    QVERIFY(nothing.ok() && !*nothing);
    const Frame large{MessageType::Prepare, 1, 0, std::vector<std::byte>(kMaximumPayload), 0};
    Status sent;
    for (int i = 0; i < 8 && sent.ok(); ++i)
        sent = application.send(large, {}, start + std::chrono::milliseconds(200));
    QCOMPARE(sent.error().code(), Errc::W603);
    QVERIFY(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
    ends->second = Descriptor();
    QCOMPARE(application.receive(start + std::chrono::seconds(5)).error().code(), Errc::W602);
}

void ProtocolTest::sharedMemoryKeepsItsSize() {
    auto memory = SharedMemory::create(5000);
    QVERIFY(memory.ok());
    memory->bytes()[4999] = std::byte{7};
    QCOMPARE(memory->copy()[4999], std::byte{7});
    const std::intptr_t descriptor = memory->descriptor();
#ifdef __linux__
    QVERIFY(::ftruncate(static_cast<int>(descriptor), 10) != 0);
    QVERIFY(::ftruncate(static_cast<int>(descriptor), 10000) != 0);
#endif
    auto same = SharedMemory::adopt(duplicate(descriptor), 5000);
    QVERIFY(same.ok());
    QCOMPARE(same->bytes()[4999], std::byte{7});
    QCOMPARE(SharedMemory::adopt(duplicate(descriptor), 4096).error().code(), Errc::W609);
    QCOMPARE(SharedMemory::create(0).error().code(), Errc::W609);
}

void ProtocolTest::requestsEndOnce() {
    WorkerView view;
    QVERIFY(view.sending(MessageType::Hello, 0).ok());
    QVERIFY(view.accept({MessageType::Ready, 0, 0, encode(Ready{kProtocolVersion, {}}), 0}).ok());
    QVERIFY(view.sending(MessageType::LoadModel, 0).ok());
    Loaded loaded;
    loaded.vocabulary = 100;
    QVERIFY(view.accept({MessageType::Loaded, 0, 0, encode(loaded), 0}).ok());
    RequestLimits limits;
    limits.vocabulary = 100;
    limits.tokens = 2;
    limits.prompt = 3;
    limits.credit = 10;
    // Two at once, their messages mixed.
    QVERIFY(view.sending(MessageType::Generate, 1, limits).ok());
    QVERIFY(view.sending(MessageType::Prepare, 2, limits).ok());
    QVERIFY(view.accept({MessageType::Piece, 1, 0, encode(Piece{0, 5, "ab"}), 0}).ok());
    auto prepared = view.accept({MessageType::Prepared, 2, 0, encode(Prepared{{1}, true}), 0});
    QVERIFY(prepared.ok() && prepared->ends);
    QVERIFY(view.accept({MessageType::Piece, 1, 0, encode(Piece{1, 5, "ab"}), 0}).ok());
    Done done;
    done.stopReason = "length";
    done.promptTokens = 3;
    done.tokens = 2;
    QVERIFY(view.accept({MessageType::Done, 1, 0, encode(done), 0}).ok());
    QCOMPARE(view.openRequests(), std::size_t{0});
    QCOMPARE(view.accept({MessageType::Done, 1, 0, encode(done), 0}).error().code(), Errc::W607);
}

void ProtocolTest::whatIsNotOpenIsRefused() {
    WorkerView view;
    QVERIFY(!view.sending(MessageType::LoadModel, 0).ok());
    QVERIFY(!view.sending(MessageType::Generate, 1).ok());
    QVERIFY(view.sending(MessageType::Hello, 0).ok());
    QCOMPARE(view.accept({MessageType::Loaded, 0, 0, encode(Loaded{}), 0}).error().code(), Errc::W607);
    QCOMPARE(view.accept({MessageType::Pong, 0, 0, encode(Pong{}), 0}).error().code(), Errc::W607);
    QCOMPARE(view.accept({MessageType::Ready, 0, 0, encode(Ready{9, {}}), 0}).error().code(), Errc::W608);
}

}  // namespace loader::protocol

QTEST_GUILESS_MAIN(loader::protocol::ProtocolTest)
#include "tst_protocol.moc"
