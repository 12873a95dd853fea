// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The library with real workers: headers of every kind of damage in one go, files that kill or fool their
// probe, files that change while they are looked at, and what is never deleted.
// Budget: one shelf of files serves all cases; apart they would make it again and again.

#include <QTemporaryDir>
#include <QTest>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/app/library/hash_check.h"
#include "core/app/library/model_inspection.h"
#include "core/app/library/model_library.h"
#include "core/app/library/model_test.h"
#include "tests/support/malformed_gguf.h"
#include "tests/support/tiny_model.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

void writeBytes(const fs::path& path, std::span<const std::byte> bytes, std::uint64_t size = 0) {
    fs::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (size > bytes.size()) fs::resize_file(path, size);
}

/// Long enough ago to prove that a file is unchanged.
void settle() {
    std::this_thread::sleep_for(60ms);
}

struct Shelf {
    QTemporaryDir folder;
    fs::path models = fs::path(folder.path().toStdString()) / "models";
    LibraryOptions options;

    Shelf() {
        fs::create_directories(models);
        options.places = {{PlaceKind::Folder, models.string(), {}, {}, {}, false}};
        options.dataFolder = folder.filePath("data").toStdString();
        options.worker.program = LOADER_WORKER;
        options.worker.pluginFolder = LOADER_PLUGINS;
        options.applicationVersion = "1";
        options.rules.quantOrder = {"Q4 IQ4", "Q5", "Q8"};
    }
    fs::path tiny(const std::string& name, const test::TinyModelOptions& how = {}) const {
        const fs::path path = models / name;
        fs::create_directories(path.parent_path());
        auto made = test::TinyModel::make(how);
        return made.ok() && made->write(path.string()).ok() ? path : fs::path();
    }
};

const LibraryEntry* find(const LibrarySnapshot& library, const std::string& name) {
    for (const LibraryEntry& entry : library.entries) {
        if (fs::path(entry.path).filename().string() == name) return &entry;
    }
    return nullptr;
}

std::string codeOf(const LibraryEntry* entry) {
    if (!entry) return "absent";
    return entry->fault ? std::string(entry->fault->name()) : "fine";
}

}  // namespace

class Library : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void readsAndRemembers();
    void malformedHeadersInOneGo();
    void filesThatKillTheirProbe();
    void probesThatLie();
    void noWorkerAtAll();
    void replacedWhileIndexed();
    void changesAreSeen();
    void missingAndBack();
    void movedFilesAreNotReadAgain();
    void unreachablePlace();
    void splitSet();
    void damagedIndex();
    void addedAndForgotten();
    void deletesOnlyItsOwn();
    void resolves();
    void inspects();
    void inspectsHostileProbe_data();
    void inspectsHostileProbe();
    void testsModels();
    void hashes();
};

void Library::readsAndRemembers() {
    Shelf shelf;
    test::TinyModelOptions how;
    how.type = quant::TensorType::Q8_0;
    shelf.tiny("a/one-Q8_0.gguf", how);
    shelf.tiny("b/blob without an ending");
    settle();
    {
        ModelLibrary library(shelf.options);
        const auto found = library.refresh({}, {});
        QVERIFY2(found.ok(), found.ok() ? "" : found.error().toString().c_str());
        QCOMPARE((*found)->entries.size(), std::size_t{2});
        QCOMPARE((*found)->read, std::size_t{2});
        QVERIFY((*found)->notes.empty());
        const LibraryEntry* one = find(**found, "one-Q8_0.gguf");
        QCOMPARE(codeOf(one), std::string("fine"));
        QCOMPARE(one->type, std::string("Q8_0"));
        QCOMPARE(one->facts.layers, 2u);
        QVERIFY(one->facts.hasTemplate && one->facts.known && isUsable(*one));
        QCOMPARE(one->bytes, std::uint64_t{fs::file_size(one->path)});
        // The same process looks again without reading.
        QVERIFY(library.refresh({}, {}).ok());
        QCOMPARE(library.snapshot().read, std::size_t{0});
        QCOMPARE(library.snapshot().unchanged, std::size_t{2});
    }
    // Another one neither, even if it could not.
    LibraryOptions poor = shelf.options;
    poor.worker.program = "/nowhere";
    ModelLibrary again(poor);
    QVERIFY(again.refresh({}, {}).ok());
    QCOMPARE(again.snapshot().read, std::size_t{0});
    QCOMPARE(find(again.snapshot(), "one-Q8_0.gguf")->type, std::string("Q8_0"));
    // Another version believes none of it.
    LibraryOptions newer = shelf.options;
    newer.applicationVersion = "2";
    ModelLibrary later(newer);
    QVERIFY(later.refresh({}, {}).ok());
    QCOMPARE(later.snapshot().read, std::size_t{2});
}

void Library::malformedHeadersInOneGo() {
    Shelf shelf;
    std::map<std::string, std::optional<Errc>> expected;
    for (const test::MalformedCase& one : test::malformedCases()) {
        const test::HoledFile file = one.build();
        const std::string name = "case-" + std::to_string(one.number) + ".gguf";
        // As long as it claims, in a hole; some claim more than a disk has.
        writeBytes(shelf.models / name, file.bytes, std::min<std::uint64_t>(file.size, 1u << 30));
        const bool whole = file.size <= (1u << 30);
        if (whole) expected[name] = one.error;
    }
    const fs::path fine = shelf.tiny("fine.gguf");
    settle();
    ModelLibrary library(shelf.options);
    const auto found = library.refresh({}, {});
    QVERIFY2(found.ok(), found.ok() ? "" : found.error().toString().c_str());
    // None is lost, and none takes another one with it.
    QCOMPARE((*found)->entries.size(), test::malformedCases().size() + 1);
    QCOMPARE(codeOf(find(**found, "fine.gguf")), std::string("fine"));
    for (const auto& [name, code] : expected) {
        const LibraryEntry* entry = find(**found, name);
        QVERIFY2(entry, name.c_str());
        if (!code) continue;
        QVERIFY2(entry->fault && entry->fault->code() == *code,
                 (name + " " + codeOf(entry) + " instead of " + std::string(errorName(*code))).c_str());
        QVERIFY2(entry->fault->place().find(name) != std::string::npos, entry->fault->place().c_str());
    }
    // Faults are remembered too.
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().read, std::size_t{0});
}

void Library::filesThatKillTheirProbe() {
    Shelf shelf;
    shelf.options.worker.program = LOADER_HOSTILE_WORKER;
    shelf.options.worker.limits.silence = 1000ms;
    shelf.options.worker.limits.step = 1000ms;
    for (int i = 0; i < 20; ++i)
        writeBytes(shelf.models / ("good-" + std::to_string(i) + ".gguf"), test::validFile());
    for (const char* name : {"good-0-abort.gguf", "hang.gguf", "leave.gguf", "nonsense.gguf", "another.gguf"})
        writeBytes(shelf.models / name, test::validFile());
    settle();
    ModelLibrary library(shelf.options);
    const auto found = library.refresh({}, {});
    QVERIFY2(found.ok(), found.ok() ? "" : found.error().toString().c_str());
    for (int i = 0; i < 20; ++i)
        QCOMPARE(codeOf(find(**found, "good-" + std::to_string(i) + ".gguf")), std::string("fine"));
    QCOMPARE(codeOf(find(**found, "good-0-abort.gguf")), std::string("W605"));
    QCOMPARE(codeOf(find(**found, "hang.gguf")), std::string("W606"));
    QCOMPARE(codeOf(find(**found, "leave.gguf")).substr(0, 3), std::string("W60"));
    QCOMPARE(codeOf(find(**found, "nonsense.gguf")), std::string("W607"));
    QCOMPARE(codeOf(find(**found, "another.gguf")), std::string("W607"));
    // They are not let near a probe again until they change.
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().read, std::size_t{0});
    QCOMPARE(codeOf(find(library.snapshot(), "hang.gguf")), std::string("W606"));
}

void Library::probesThatLie() {
    Shelf shelf;
    shelf.options.worker.program = LOADER_HOSTILE_WORKER;
    for (const char* name :
         {"lies-00001-of-00002.gguf", "lies-00002-of-00002.gguf", "lies.gguf", "good.gguf"})
        writeBytes(shelf.models / name, test::validFile());
    ModelLibrary library(shelf.options);
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().entries.size(), std::size_t{3});
    QCOMPARE(find(library.snapshot(), "lies.gguf")->facts.parameters, ~std::uint64_t{0});
}

void Library::noWorkerAtAll() {
    Shelf shelf;
    shelf.options.worker.program = "/nowhere";
    shelf.tiny("a.gguf");
    settle();
    ModelLibrary library(shelf.options);
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().notes.at(0).code(), Errc::W604);
    QCOMPARE(codeOf(find(library.snapshot(), "a.gguf")), std::string("W604"));
    // It is found by its name all the same, and read once there is a worker.
    QCOMPARE(QString::fromStdString(*library.resolve("a", {})),
             QString::fromStdString((shelf.models / "a.gguf").string()));
    LibraryOptions better = shelf.options;
    better.worker.program = LOADER_WORKER;
    ModelLibrary later(better);
    QVERIFY(later.refresh({}, {}).ok());
    QCOMPARE(codeOf(find(later.snapshot(), "a.gguf")), std::string("fine"));
}

void Library::replacedWhileIndexed() {
    Shelf shelf;
    const fs::path path = shelf.tiny("a.gguf");
    test::TinyModelOptions other;
    other.layers = 3;
    const fs::path spare = shelf.tiny("spare", other);
    const std::uint64_t spareBytes = fs::file_size(spare);
    // The walk sees one file; another one lies there when its header is read.
    shelf.options.walk = [&](const LibraryPlace& place, const KnownFiles& known, WalkState& state) {
        WalkResult result = walkPlace(place, known, state);
        std::erase_if(result.files, [](const FoundFile& file) { return file.path.ends_with("spare"); });
        if (fs::exists(spare)) fs::rename(spare, path);
        return result;
    };
    ModelLibrary library(shelf.options);
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().entries.size(), std::size_t{1});
    // What is told is of one of the two, never of both.
    QCOMPARE(library.snapshot().entries[0].facts.layers, 3u);
    QCOMPARE(library.snapshot().entries[0].bytes, spareBytes);
    settle();
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().entries[0].facts.layers, 3u);
}

void Library::changesAreSeen() {
    Shelf shelf;
    const fs::path path = shelf.tiny("a.gguf");
    settle();
    ModelLibrary library(shelf.options);
    QVERIFY(library.refresh({}, {}).ok());
    // As long, and with the time of the old one: the system still knows that it changed.
    const auto time = fs::last_write_time(path);
    test::TinyModelOptions other;
    other.seed = 2;
    other.chatTemplate = true;
    shelf.tiny("a.gguf", other);
    fs::last_write_time(path, time);
    settle();
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().read, std::size_t{1});
    fs::resize_file(path, 100);
    settle();
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(codeOf(find(library.snapshot(), "a.gguf")).substr(0, 2), std::string("GG"));
    // A file that was read while it was fresh is read again, because its times prove nothing.
    shelf.tiny("fresh.gguf");
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().read, std::size_t{1});
    settle();
    QVERIFY(library.refresh({}, {}).ok());
    // On a busy machine it was old enough the first time.
    QVERIFY(library.snapshot().read <= 1);
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().read, std::size_t{0});
}

void Library::missingAndBack() {
    Shelf shelf;
    const fs::path path = shelf.tiny("a.gguf");
    settle();
    ModelLibrary library(shelf.options);
    QVERIFY(library.refresh({}, {}).ok());
    const fs::path aside = fs::path(shelf.folder.path().toStdString()) / "aside";
    fs::rename(path, aside);
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(codeOf(find(library.snapshot(), "a.gguf")), std::string("D310"));
    QCOMPARE(library.snapshot().entries[0].state, FileState::Missing);
    // What it was is still told; it cannot be loaded, nor taken by auto.
    QCOMPARE(library.snapshot().entries[0].facts.layers, 2u);
    QCOMPARE(library.resolve("a", {}).error().code(), Errc::D310);
    QCOMPARE(library.resolve("auto", {}).error().code(), Errc::D313);
    // A whole drive that is gone.
    fs::rename(shelf.models, shelf.models.string() + "-gone");
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().places[0].state, FileState::Missing);
    QCOMPARE(codeOf(find(library.snapshot(), "a.gguf")), std::string("D310"));
    fs::rename(shelf.models.string() + "-gone", shelf.models);
    fs::rename(aside, path);
    settle();
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(codeOf(find(library.snapshot(), "a.gguf")), std::string("fine"));
    // It can be forgotten while it is missing.
    fs::remove(path);
    QVERIFY(library.refresh({}, {}).ok());
    QVERIFY(library.forget(path.string()).ok());
    QVERIFY(library.refresh({}, {}).ok());
    QVERIFY(library.snapshot().entries.empty());
}

void Library::movedFilesAreNotReadAgain() {
    Shelf shelf;
    const fs::path path = shelf.tiny("a.gguf");
    settle();
    ModelLibrary library(shelf.options);
    QVERIFY(library.refresh({}, {}).ok());
    fs::create_directories(shelf.models / "sub");
    fs::rename(path, shelf.models / "sub" / "b.gguf");
    settle();
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().read, std::size_t{0});
    QCOMPARE(library.snapshot().entries.size(), std::size_t{1});
    QCOMPARE(codeOf(find(library.snapshot(), "b.gguf")), std::string("fine"));
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().entries.size(), std::size_t{1});
}

void Library::unreachablePlace() {
    Shelf shelf;
    shelf.tiny("a.gguf");
    settle();
    ModelLibrary first(shelf.options);
    QVERIFY(first.refresh({}, {}).ok());
    LibraryOptions dead = shelf.options;
    dead.patience = 150ms;
    dead.walk = [](const LibraryPlace&, const KnownFiles&, WalkState& state) {
        while (!state.stop)
            std::this_thread::sleep_for(5ms);
        std::this_thread::sleep_for(300ms);
        return WalkResult{};
    };
    ModelLibrary library(dead);
    const auto begin = std::chrono::steady_clock::now();
    QVERIFY(library.refresh({}, {}).ok());
    QVERIFY(std::chrono::steady_clock::now() - begin < 2s);
    // Nothing is known of it, so nothing is thrown away.
    QCOMPARE(codeOf(find(library.snapshot(), "a.gguf")), std::string("C518"));
    QCOMPARE(library.snapshot().entries[0].state, FileState::Unreachable);
    ModelLibrary later(shelf.options);
    QVERIFY(later.refresh({}, {}).ok());
    QCOMPARE(later.snapshot().read, std::size_t{0});
    QCOMPARE(codeOf(find(later.snapshot(), "a.gguf")), std::string("fine"));
    std::this_thread::sleep_for(400ms);
}

void Library::splitSet() {
    Shelf shelf;
    auto made = test::TinyModel::make({});
    QVERIFY(made.ok());
    const auto paths = made->writeSplit((shelf.models / "set").string(), 8);
    QVERIFY(paths.ok() && paths->size() > 2);
    settle();
    ModelLibrary library(shelf.options);
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().entries.size(), std::size_t{1});
    const LibraryEntry entry = library.snapshot().entries[0];
    QVERIFY2(!entry.fault, entry.fault ? entry.fault->toString().c_str() : "");
    QCOMPARE(entry.parts.size(), paths->size());
    std::uint64_t sum = 0;
    for (const std::string& path : *paths)
        sum += fs::file_size(path);
    QCOMPARE(entry.bytes, sum);
    QCOMPARE(*library.resolve("set", {}), entry.path);
    fs::remove(paths->back());
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().entries[0].fault->code(), Errc::D310);
    LibraryOptions fresh = shelf.options;
    fresh.dataFolder += "-other";
    ModelLibrary other(fresh);
    QVERIFY(other.refresh({}, {}).ok());
    QCOMPARE(other.snapshot().entries[0].fault->code(), Errc::S301);
}

void Library::damagedIndex() {
    Shelf shelf;
    shelf.tiny("a.gguf");
    settle();
    QVERIFY(ModelLibrary(shelf.options).refresh({}, {}).ok());
    const fs::path index = fs::path(shelf.options.dataFolder) / "library.sqlite";
    QVERIFY(fs::exists(index));
    {
        std::ofstream file(index, std::ios::binary | std::ios::trunc);
        file << std::string(5000, 'x');
    }
    ModelLibrary library(shelf.options);
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().notes.at(0).code(), Errc::D301);
    QCOMPARE(library.snapshot().read, std::size_t{1});
    ModelLibrary after(shelf.options);
    QVERIFY(after.refresh({}, {}).ok());
    QVERIFY(after.snapshot().notes.empty());
    QCOMPARE(after.snapshot().read, std::size_t{0});
}

void Library::addedAndForgotten() {
    Shelf shelf;
    const fs::path elsewhere = fs::path(shelf.folder.path().toStdString()) / "elsewhere";
    fs::create_directories(elsewhere);
    const fs::path path = shelf.tiny("../elsewhere/single");
    writeBytes(elsewhere / "text", {});
    ModelLibrary library(shelf.options);
    QVERIFY(library.add({path.string(), "My Model", "/p/mmproj.gguf", {}}).ok());
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().entries.size(), std::size_t{1});
    QCOMPARE(library.snapshot().entries[0].name, std::string("My Model"));
    QCOMPARE(library.snapshot().entries[0].projectors.at(0), std::string("/p/mmproj.gguf"));
    QCOMPARE(*library.resolve("My Model", {}), fs::path(path).lexically_normal().string());
    QCOMPARE(library.add({(elsewhere / "text").string(), {}, {}, {}}).error().code(), Errc::GG002);
    QCOMPARE(library.add({(elsewhere / "absent").string(), {}, {}, {}}).error().code(), Errc::F802);
    QCOMPARE(library.add({"/dev/null", {}, {}, {}}).error().code(), Errc::F803);
    // Forgetting touches no file.
    QVERIFY(library.forget(path.string()).ok());
    QVERIFY(library.refresh({}, {}).ok());
    QVERIFY(library.snapshot().entries.empty());
    QVERIFY(fs::exists(path));
    QCOMPARE(library.forget(path.string()).error().code(), Errc::D304);
    QCOMPARE(library.add({elsewhere.string(), {}, {}, {}}).error().code(), Errc::F803);
    // What another program knew: one is there, one on a drive that is not.
    const std::vector<AddedModel> known = {{path.string(), "first", {}, {}},
                                           {"/nowhere/y.gguf", "second", {}, {}}};
    QVERIFY(library.addUnseen(known).ok());
    QVERIFY(library.addUnseen(known).ok());
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(library.snapshot().entries.size(), std::size_t{2});
    QVERIFY(!library.find("first", {})->fault);
    QCOMPARE(library.find("second", {})->fault->code(), Errc::D310);
}

void Library::deletesOnlyItsOwn() {
    Shelf shelf;
    const fs::path theirs = shelf.tiny("theirs.gguf");
    const fs::path ours = shelf.tiny("ours.gguf");
    const fs::path replaced = shelf.tiny("replaced.gguf");
    ModelLibrary library(shelf.options);
    QVERIFY(library.markMade(ours.string()).ok());
    QVERIFY(library.markMade(replaced.string()).ok());
    fs::remove(replaced);
    test::TinyModelOptions other;
    other.layers = 3;
    shelf.tiny("replaced.gguf", other);
    QVERIFY(library.refresh({}, {}).ok());
    for (const fs::path& path : {theirs, replaced}) {
        const auto entry = library.find(path.string(), {});
        QVERIFY(entry.ok());
        QCOMPARE(library.deleteFiles(*entry, Consent::OwnOnly).error().code(), Errc::D311);
        QVERIFY(fs::exists(path));
    }
    const auto entry = library.find(ours.string(), {});
    QVERIFY(library.deleteFiles(*entry, Consent::OwnOnly).ok());
    QVERIFY(!fs::exists(ours));
    QCOMPARE(library.deleteFiles(*entry, Consent::OwnOnly).error().code(), Errc::F802);
    // A link to a file of ours is not that file.
    shelf.tiny("ours.gguf");
    QVERIFY(library.markMade(ours.string()).ok());
    // A set of which one part is not ours stays whole.
    auto made = test::TinyModel::make({});
    const auto parts = made->writeSplit((shelf.models / "set").string(), 8);
    for (std::size_t i = 0; i + 1 < parts->size(); ++i)
        QVERIFY(library.markMade((*parts)[i]).ok());
    QVERIFY(library.refresh({}, {}).ok());
    const auto set = library.find("set", {});
    QVERIFY(set.ok());
    QCOMPARE(library.deleteFiles(*set, Consent::OwnOnly).error().code(), Errc::D311);
    for (const std::string& part : *parts)
        QVERIFY(fs::exists(part));
    // Twice yes is yes.
    QVERIFY(library.deleteFiles(*set, Consent::Anything).ok());
    for (const std::string& part : *parts)
        QVERIFY(!fs::exists(part));
    QVERIFY(library.refresh({}, {}).ok());
    QCOMPARE(codeOf(find(library.snapshot(), "set-00001-of-00003.gguf")), std::string("absent"));
    LibraryEntry guide = *library.find(theirs.string(), {});
    guide.place = PlaceKind::BuiltIn;
    QCOMPARE(library.deleteFiles(guide, Consent::Anything).error().code(), Errc::D311);
}

void Library::resolves() {
    Shelf shelf;
    test::TinyModelOptions how;
    how.type = quant::TensorType::Q8_0;
    const fs::path q8 = shelf.tiny("m-Q8_0.gguf", how);
    how.type = quant::TensorType::Q4_0;
    const fs::path q4 = shelf.tiny("m-Q4_0.gguf", how);
    ModelLibrary library(shelf.options);
    QCOMPARE(*library.resolve("auto", {}), q4.string());
    QCOMPARE(*library.resolve("m-Q8_0", {}), q8.string());
    QCOMPARE(*library.resolve("tiny llama", {}), q4.string());
    QCOMPARE(*library.resolve("tiny llama:Q8_0", {}), q8.string());
    QCOMPARE(*library.resolve(q8.string(), {}), q8.string());
    // A path is a path, whether it is there or not.
    QCOMPARE(*library.resolve("/nowhere/x.gguf", {}), std::string("/nowhere/x.gguf"));
    QCOMPARE(*library.resolve("no/where", {}), std::string("no/where"));
    QCOMPARE(library.resolve("nothing", {}).error().code(), Errc::F802);
    QCOMPARE(library.resolve("guide", {}).error().code(), Errc::F802);
}

void Library::inspects() {
    Shelf shelf;
    const fs::path path = shelf.tiny("a.gguf");
    const auto model = inspectModel(path.string(), {}, shelf.options.worker, {});
    QVERIFY2(model.ok(), model.ok() ? "" : model.error().toString().c_str());
    QCOMPARE(model->details.summary.architecture, std::string("llama"));
    QCOMPARE(model->details.summary.tensors, static_cast<std::uint32_t>(model->details.tensors.size()));
    QVERIFY(model->details.refusal.empty() && model->facts);
    const auto cpu = std::find_if(model->backends.begin(), model->backends.end(),
                                  [](const BackendOpinion& opinion) { return opinion.id == "cpu"; });
    QVERIFY(cpu != model->backends.end() && cpu->supported && cpu->reasons.empty());
    // A key that is missing, and what nobody can run.
    auto made = test::TinyModel::make({});
    made->writer().metadata().remove("llama.block_count");
    made->writer().metadata().remove("tokenizer.chat_template");
    const fs::path broken = shelf.models / "broken.gguf";
    QVERIFY(made->write(broken.string()).ok());
    const auto refused = inspectModel(broken.string(), {}, shelf.options.worker, {});
    QVERIFY(refused.ok());
    QCOMPARE(refused->details.refusal.at(0).code(), Errc::M103);
    std::vector<std::string> missing;
    for (const protocol::MissingKey& key : refused->details.missing) {
        if (key.needed) missing.push_back(key.key);
    }
    QCOMPARE(missing, std::vector<std::string>{"llama.block_count"});
    for (const BackendOpinion& opinion : refused->backends)
        QVERIFY(!opinion.supported && !opinion.reasons.empty());
    // Many tensors come in several pages.
    test::TinyModelOptions deep;
    deep.layers = 900;
    deep.width = 256;
    deep.feedForward = 256;
    deep.type = quant::TensorType::Q2_K;
    const fs::path large = shelf.tiny("deep.gguf", deep);
    const auto pages = inspectModel(large.string(), {}, shelf.options.worker, {});
    QVERIFY2(pages.ok(), pages.ok() ? "" : pages.error().toString().c_str());
    QVERIFY(pages->details.tensors.size() > 8000);
    QCOMPARE(pages->details.summary.tensors, static_cast<std::uint32_t>(pages->details.tensors.size()));
    QCOMPARE(inspectModel("/nowhere", {}, shelf.options.worker, {}).error().code(), Errc::F802);
}

void Library::inspectsHostileProbe_data() {
    QTest::addColumn<QByteArray>("how");
    for (const char* how : {"empty pages without end", "pages without end"})
        QTest::newRow(how) << QByteArray(how);
}

void Library::inspectsHostileProbe() {
    QFETCH(const QByteArray, how);
    Shelf shelf;
    const fs::path path = shelf.tiny("a.gguf");
    WorkerOptions worker = shelf.options.worker;
    worker.program = LOADER_HOSTILE_WORKER;
    qputenv("LOADER_HOSTILE", how);
    const auto model = inspectModel(path.string(), {}, worker, {});
    qunsetenv("LOADER_HOSTILE");
    QVERIFY(!model.ok());
    QCOMPARE(model.error().code(), Errc::W607);
}

void Library::testsModels() {
    Shelf shelf;
    HostOptions host;
    host.worker = shelf.options.worker;
    protocol::LoadRequest request;
    request.backend = "cpu";
    request.threads = 1;
    request.path = shelf.tiny("a.gguf").string();
    const ModelTestResult works = testModel(request, host, {}, {}, {});
    QVERIFY2(works.works, works.error ? works.error->toString().c_str() : "");
    QCOMPARE(works.backend, std::string("cpu"));
    QCOMPARE(works.tokens, std::uint64_t{16});
    QVERIFY(works.tokensPerSecond > 0 && works.loadMilliseconds > 0 && !works.text.empty());
    request.path = (shelf.models / "broken.gguf").string();
    writeBytes(request.path, test::validFile());
    const ModelTestResult fails = testModel(request, host, {}, {}, {});
    QVERIFY(!fails.works && fails.error && !fails.error->action().empty());
}

void Library::hashes() {
    Shelf shelf;
    const fs::path path = shelf.models / "abc";
    writeBytes(path, std::as_bytes(std::span("abc", 3)));
    // FIPS 180-4, the example of one block.
    const std::string known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    QCOMPARE(*sha256OfFile(path.string(), {}, {}), known);
    LibraryEntry entry;
    entry.path = path.string();
    entry.bytes = 3;
    entry.parts = {{entry.path, 3, FileState::Present}};
    entry.sha256 = known;
    QVERIFY(!verifyEntry(entry, {}, {}, {})->at(0).fault);
    const auto differs = verifyEntry(entry, std::string(64, '0'), {}, {});
    QCOMPARE(differs->at(0).fault->code(), Errc::D312);
    QCOMPARE(verifyEntry(entry, "abc", {}, {}).error().code(), Errc::D305);
    fs::remove(path);
    QCOMPARE(verifyEntry(entry, {}, {}, {})->at(0).fault->code(), Errc::F802);
    // It can be stopped, and tells how far it is.
    writeBytes(path, test::validFile(), 64u << 20);
    CancelFlag flag;
    std::uint64_t last = 0;
    const auto stopped = sha256OfFile(
        path.string(),
        [&](std::uint64_t done, std::uint64_t total) {
            QVERIFY(done > last && done <= total);
            last = done;
            if (done > total / 4) flag.request();
        },
        flag);
    QCOMPARE(stopped.error().code(), Errc::X002);
    QVERIFY(last < (64u << 20));
}

}  // namespace loader::app

QTEST_GUILESS_MAIN(loader::app::Library)
#include "tst_library.moc"
