// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Models on disk: split sets with everything that can be wrong with one (S1 to S14), side files, mapping.

#include <QDir>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <array>
#include <functional>

#include "core/engine/gguf/keys.h"
#include "core/engine/gguf/model_file.h"
#include "core/engine/gguf/writer.h"
#include "tests/support/malformed_gguf.h"
#include "tests/support/shared_data.h"

#ifndef _WIN32
#include <sys/stat.h>
#endif

using namespace loader;
using namespace loader::gguf;
using namespace loader::test;
using quant::TensorType;

namespace {

constexpr std::array<std::uint64_t, 1> kShape = {32};
constexpr std::size_t kTensors = 5;

/// Five small tensors, each filled with its own number.
class SmallModel {
public:
    SmallModel() {
        writer.metadata().setText(keys::kArchitecture, "test");
        writer.metadata().setText(keys::kUuid, "0001");
        for (std::size_t i = 0; i < kTensors; ++i) {
            m_data[i].assign(128, std::byte(i + 1));
            writer.addTensor("t" + std::to_string(i), TensorType::F32, kShape, m_data[i]);
        }
    }
    Writer writer;

private:
    std::array<std::vector<std::byte>, kTensors> m_data;
};

using Parts = std::vector<std::vector<std::byte>>;

/// The parts of the small model, two tensors each: three files.
Parts smallParts() {
    SmallModel model;
    return model.writer.splitToBytes(2).value();
}

/// A part read, changed, and written again.
std::vector<std::byte> changed(const std::vector<std::byte>& part,
                               const std::function<void(Metadata&)>& change, std::string_view rename = {}) {
    const File file = File::parse(MemorySource(part)).value();
    Writer writer;
    writer.metadata() = file.metadata().clone();
    change(writer.metadata());
    for (const TensorInfo& tensor : file.tensors()) {
        writer.addTensor(rename.empty() ? tensor.name : rename, tensor.type, tensor.shape(),
                         std::span(part).subspan(tensor.offset, tensor.bytes));
        rename = {};
    }
    return writer.toBytes().value();
}

std::string partPath(std::uint32_t number, std::uint32_t count, const std::string& prefix = "m") {
    ShardName name;
    name.prefix = prefix;
    name.count = count;
    return name.path(number);
}

/// "accepted", or the code and the place.
std::string openParts(const Parts& parts, std::uint32_t opened = 1) {
    std::vector<MemoryFile> folder;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (!parts[i].empty()) folder.push_back({partPath(std::uint32_t(i + 1), 3), parts[i]});
    }
    const auto model = ModelFile::openMemory(folder, partPath(opened, 3));
    if (model.ok()) return "accepted";
    return std::string(model.error().name()) + " " + model.error().place();
}

std::string refusal(std::string_view code, std::uint32_t part) {
    return std::string(code) + " " + partPath(part, 3);
}

}  // namespace

class TestGgufModel : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void shardNamesAreTakenApart();
    void aSingleFileOpensAndMaps();
    void anyPartOpensTheWholeSet();
    void missingPartsAreNamed();
    void impossibleCountsAreRefused();
    void partsThatDisagreeAreRefused();
    void tensorTablesMustAddUp();
    void partsOfDifferentModelsAreRefused();
    void whatIsNoFileIsRefused();
    void theNameDecidesWhereToLook();
    void aTruncatedPartIsNamed();
    void sideFilesAreNamed();
    void aVocabularyAloneOpens();
    void aChangedFileIsNotMapped();
    void warningsNameTheFile();
    void realModelsOpenAndMap();
};

void TestGgufModel::shardNamesAreTakenApart() {
    const auto name = parseShardName("/a/b-00001-of-00002-00003-of-00012.gguf");
    QVERIFY(name && name->number == 3 && name->count == 12);
    QCOMPARE(name->prefix, std::string("/a/b-00001-of-00002"));
    QCOMPARE(name->path(12), std::string("/a/b-00001-of-00002-00012-of-00012.gguf"));
    for (const char* const wrong :
         {"model.gguf", "m-0001-of-0002.gguf", "m-00000-of-00002.gguf", "m-00003-of-00002.gguf",
          "m00001-of-00002.gguf", "m-00001-of-00002.bin", "m-0000a-of-00002.gguf", ""}) {
        QVERIFY2(!parseShardName(wrong), wrong);
    }
}

void TestGgufModel::aSingleFileOpensAndMaps() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("m.gguf").toStdString();
    SmallModel small;
    QVERIFY(small.writer.write(path).ok());
    const auto model = ModelFile::open(path);
    QVERIFY(model.ok());
    QCOMPARE((*model)->shards(), std::size_t(1));
    QVERIFY((*model)->tensorData((*model)->tensors()[0]).empty());
    QVERIFY(!(*model)->mapping(0));
    QVERIFY((*model)->map().ok() && (*model)->map().ok());
    QVERIFY((*model)->mapping(0));
    for (std::size_t i = 0; i < kTensors; ++i) {
        const TensorInfo* tensor = (*model)->tensor("t" + std::to_string(i));
        QVERIFY(tensor);
        const auto data = (*model)->tensorData(*tensor);
        QCOMPARE(data.size(), std::size_t(128));
        QVERIFY(std::ranges::all_of(data, [i](std::byte b) { return b == std::byte(i + 1); }));
    }
    const auto absent = ModelFile::open(folder.filePath("absent.gguf").toStdString());
    QVERIFY(!absent.ok() && absent.error().code() == Errc::F802);
}

void TestGgufModel::anyPartOpensTheWholeSet() {
    const QTemporaryDir folder;
    SmallModel small;
    const auto paths = small.writer.writeSplit(folder.filePath("m").toStdString(), 2);
    QVERIFY(paths.ok());
    QCOMPARE(paths->size(), std::size_t(3));
    for (const std::string& path : *paths) {
        const auto model = ModelFile::open(path);
        QVERIFY2(model.ok(), model.ok() ? "" : model.error().toString().c_str());
        QCOMPARE((*model)->shards(), std::size_t(3));
        QCOMPARE((*model)->tensors().size(), kTensors);
        QCOMPARE((*model)->metadata().text(keys::kArchitecture).value_or(""), std::string_view("test"));
        QVERIFY((*model)->map().ok() && (*model)->checkUnchanged().ok());
        for (std::size_t i = 0; i < kTensors; ++i) {
            const TensorInfo* tensor = (*model)->tensor("t" + std::to_string(i));
            QVERIFY(tensor && tensor->shard == i / 2);
            QVERIFY((*model)->tensorData(*tensor)[0] == std::byte(i + 1));
        }
    }
}

void TestGgufModel::missingPartsAreNamed() {
    Parts parts = smallParts();
    QCOMPARE(openParts(parts), std::string("accepted"));
    parts[1].clear();
    QCOMPARE(openParts(parts), refusal("S301", 2));  // S1
    parts = smallParts();
    parts[0].clear();
    QCOMPARE(openParts(parts, 2), refusal("S301", 1));              // S2
    QCOMPARE(openParts(smallParts(), 2), std::string("accepted"));  // S3
}

void TestGgufModel::impossibleCountsAreRefused() {
    const auto withCount = [](std::uint16_t count) {
        Parts parts = smallParts();
        parts[0] = changed(parts[0], [&](Metadata& m) { m.set<std::uint16_t>(keys::kSplitCount, count); });
        return openParts(parts);
    };
    QCOMPARE(withCount(0), refusal("S302", 1));       // S4
    QCOMPARE(withCount(65'535), refusal("S302", 1));  // S5
    Parts parts = smallParts();
    parts[0] = changed(parts[0], [](Metadata& m) { m.setText(keys::kSplitCount, "3"); });
    QCOMPARE(openParts(parts), refusal("S302", 1));
    SmallModel small;
    QVERIFY(small.writer.splitToBytes(0).error().code() == Errc::S302);
}

void TestGgufModel::partsThatDisagreeAreRefused() {
    Parts parts = smallParts();
    parts[2] = changed(parts[2], [](Metadata& m) { m.set<std::uint16_t>(keys::kSplitCount, 4); });
    QCOMPARE(openParts(parts), refusal("S303", 3));  // S6
    parts = smallParts();
    parts[0] = changed(parts[0], [](Metadata& m) { m.set<std::uint16_t>(keys::kSplitCount, 2); });
    QCOMPARE(openParts(parts), refusal("S303", 1));  // the name says three
    parts = smallParts();
    parts[1] = changed(parts[1], [](Metadata& m) { m.set<std::uint16_t>(keys::kSplitNumber, 2); });
    QCOMPARE(openParts(parts), refusal("S304", 2));  // S7: counted from 1
    parts = smallParts();
    parts[2] = parts[1];
    QCOMPARE(openParts(parts), refusal("S304", 3));  // S8: a copy of another part
    parts = smallParts();
    parts[1] = changed(parts[1], [](Metadata& m) { m.remove(keys::kSplitNumber); });
    QCOMPARE(openParts(parts), refusal("S304", 2));
}

void TestGgufModel::tensorTablesMustAddUp() {
    for (const std::int32_t promised : {4, 6, -1}) {
        Parts parts = smallParts();
        parts[0] =
            changed(parts[0], [&](Metadata& m) { m.set<std::int32_t>(keys::kSplitTensorCount, promised); });
        QCOMPARE(openParts(parts), refusal("S305", 1));  // S9
    }
    Parts parts = smallParts();
    parts[2] = changed(
        parts[2], [](Metadata&) {}, "t0");
    QCOMPARE(openParts(parts), refusal("S306", 3));  // S10
}

void TestGgufModel::partsOfDifferentModelsAreRefused() {
    for (const std::string_view key : {keys::kUuid, keys::kArchitecture, keys::kName}) {
        Parts parts = smallParts();
        parts[1] = changed(parts[1], [&](Metadata& m) { m.setText(key, "other"); });
        QCOMPARE(openParts(parts), refusal("S307", 2));  // S11
    }
    Parts parts = smallParts();
    parts[1] = changed(parts[1], [&](Metadata& m) { m.setText(keys::kUuid, "0001"); });
    QCOMPARE(openParts(parts), std::string("accepted"));
}

/// S12: a folder or a pipe in the place of a part.
void TestGgufModel::whatIsNoFileIsRefused() {
    const QTemporaryDir folder;
    SmallModel small;
    const auto paths = small.writer.writeSplit(folder.filePath("m").toStdString(), 2).value();
    QVERIFY(QFile::remove(QString::fromStdString(paths[1])));
    QVERIFY(QDir().mkdir(QString::fromStdString(paths[1])));
    const auto withFolder = ModelFile::open(paths[0]);
    QVERIFY(!withFolder.ok() && withFolder.error().code() == Errc::S309);
    QCOMPARE(withFolder.error().place(), paths[1]);
#ifndef _WIN32
    QVERIFY(QDir().rmdir(QString::fromStdString(paths[1])));
    QCOMPARE(::mkfifo(paths[1].c_str(), 0600), 0);
    const auto withPipe = ModelFile::open(paths[0]);
    QVERIFY(!withPipe.ok() && withPipe.error().code() == Errc::S309);
    QVERIFY(withPipe.error().message().find("a pipe") != std::string::npos);
#endif
}

/// S13: parts are only ever looked for beside the file that was named, under its own name; nothing inside a
/// file has a say in it.
void TestGgufModel::theNameDecidesWhereToLook() {
    const QTemporaryDir folder;
    QVERIFY(QDir(folder.path()).mkdir("inner"));
    SmallModel small;
    small.writer.metadata().setText(keys::kName, "../../etc/m");
    const auto paths = small.writer.writeSplit(folder.filePath("m").toStdString(), 2).value();
    const std::string roundabout = folder.filePath("inner/../m-00002-of-00003.gguf").toStdString();
    const auto model = ModelFile::open(roundabout);
    QVERIFY2(model.ok(), model.ok() ? "" : model.error().toString().c_str());
    QCOMPARE((*model)->shardPath(0), folder.filePath("inner/../m-00001-of-00003.gguf").toStdString());

    const std::string renamed = folder.filePath("first.gguf").toStdString();
    QVERIFY(QFile::rename(QString::fromStdString(paths[0]), QString::fromStdString(renamed)));
    const auto nameless = ModelFile::open(renamed);
    QVERIFY(!nameless.ok() && nameless.error().code() == Errc::S308);
}

void TestGgufModel::aTruncatedPartIsNamed() {
    for (const std::uint32_t number : {1u, 2u, 3u}) {
        for (const std::uint32_t opened : {1u, 2u, 3u}) {
            Parts parts = smallParts();
            parts[number - 1].resize(parts[number - 1].size() - 100);
            QCOMPARE(openParts(parts, opened), refusal("S309", number));  // S14
        }
    }
}

void TestGgufModel::sideFilesAreNamed() {
    const auto openWith = [](std::string_view key, std::string_view value, bool accept) {
        SmallModel small;
        small.writer.metadata().setText(key, value);
        const auto bytes = small.writer.toBytes().value();
        const std::array<MemoryFile, 1> folder = {{{"side.gguf", bytes}}};
        OpenOptions options;
        options.acceptSideFiles = accept;
        const auto model = ModelFile::openMemory(folder, "side.gguf", options);
        return model.ok() ? std::string("accepted") : std::string(model.error().name());
    };
    for (const std::string_view type : {"adapter", "mmproj", "imatrix"}) {
        QCOMPARE(openWith(keys::kType, type, false), std::string("S310"));
        QCOMPARE(openWith(keys::kType, type, true), std::string("accepted"));
    }
    QCOMPARE(openWith(keys::kArchitecture, "clip", false), std::string("S310"));
    QCOMPARE(openWith(keys::kType, "model", false), std::string("accepted"));
}

/// It is for the architecture to miss the tensors.
void TestGgufModel::aVocabularyAloneOpens() {
    Writer writer;
    writer.metadata().setText(keys::kArchitecture, "test");
    const auto bytes = writer.toBytes().value();
    const std::array<MemoryFile, 1> folder = {{{"vocab.gguf", bytes}}};
    const auto model = ModelFile::openMemory(folder, "vocab.gguf");
    QVERIFY(model.ok() && (*model)->tensors().empty() && (*model)->map().ok());
}

void TestGgufModel::aChangedFileIsNotMapped() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("m.gguf").toStdString();
    SmallModel small;
    QVERIFY(small.writer.write(path).ok());
    const auto model = ModelFile::open(path);
    QVERIFY(model.ok());
    QFile file(QString::fromStdString(path));
    QVERIFY(file.resize(300));
    QVERIFY((*model)->checkUnchanged().error().code() == Errc::F801);
    QVERIFY((*model)->map().error().code() == Errc::F801);
    QVERIFY((*model)->tensorData((*model)->tensors()[0]).empty());
}

void TestGgufModel::warningsNameTheFile() {
    Parts parts = smallParts();
    parts[1].resize(parts[1].size() + 64);
    std::vector<MemoryFile> folder;
    for (std::uint32_t i = 0; i < 3; ++i)
        folder.push_back({partPath(i + 1, 3), parts[i]});
    const auto model = ModelFile::openMemory(folder, folder[0].path);
    QVERIFY(model.ok());
    QCOMPARE((*model)->warnings().size(), std::size_t(1));
    QVERIFY((*model)->warnings()[0].code() == Errc::GG060);
    QVERIFY((*model)->warnings()[0].place().starts_with(folder[1].path));
}

void TestGgufModel::realModelsOpenAndMap() {
    LOADER_NEED_SHARED(folder, "models");
    for (const QString& name : QDir(folder).entryList({"*.gguf"}, QDir::Files)) {
        const auto model = ModelFile::open(QDir(folder).filePath(name).toStdString());
        QVERIFY2(model.ok(), model.ok() ? "" : model.error().toString().c_str());
        QVERIFY((*model)->map().ok());
        QVERIFY(!(*model)->tensors().empty());
        for (const TensorInfo& tensor : (*model)->tensors()) {
            QCOMPARE((*model)->tensorData(tensor).size(), std::size_t(tensor.bytes));
        }
    }
}

QTEST_GUILESS_MAIN(TestGgufModel)
#include "tst_gguf_model.moc"
