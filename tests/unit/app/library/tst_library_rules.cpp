// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The rules of docs/library.md that need no disk: places, names, what belongs together, what auto takes.

#include <QTest>
#include <algorithm>
#include <map>

#ifndef Q_MOC_RUN  // moc cannot read the list of settings
#include "core/app/config/setting_list.h"
#endif
#include "core/app/library/choice.h"
#include "core/app/library/file_names.h"
#include "core/app/library/grouping.h"

namespace loader::app {
namespace {

PlaceQuery queryWith(std::map<std::string, std::string> variables) {
    PlaceQuery query;
    query.variable = [variables = std::move(variables)](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::string() : found->second;
    };
    query.home = "/home/jana";
    query.dataHome = "/home/jana/.local/share";
    return query;
}

std::vector<std::string> pathsOf(const std::vector<LibraryPlace>& places, PlaceKind kind) {
    std::vector<std::string> paths;
    for (const LibraryPlace& place : places) {
        if (place.kind == kind) paths.push_back(place.path);
    }
    return paths;
}

using Paths = std::vector<std::string>;

/// A model file that is fine.
LibraryFile fileAt(const std::string& path, const std::string& type = "Q4_K", std::size_t place = 0) {
    LibraryFile file;
    file.place = place;
    file.file.path = path;
    file.file.identity.bytes = 1000;
    file.file.facts.architecture = "arch";
    file.file.facts.known = true;
    file.file.facts.tensors = 10;
    file.file.facts.layers = 4;
    file.file.facts.width = 64;
    file.file.facts.parameters = 500;
    file.file.facts.types = {{type, 900, 500}};
    return file;
}

const std::vector<LibraryPlace> kPlaces = {{PlaceKind::Folder, "/a", {}, {}, {}, false},
                                           {PlaceKind::Folder, "/b", {}, {}, {}, false},
                                           {PlaceKind::HubCache, "/hub", {}, {}, {}, true},
                                           {PlaceKind::BuiltIn, "/guide.gguf", "guide", {}, {}, true}};

LibrarySnapshot snapshotOf(const std::vector<LibraryFile>& files, const ChoiceRules& rules = {}) {
    LibrarySnapshot snapshot;
    snapshot.entries = entriesOf(files, kPlaces);
    snapshot.groups = groupsOf(snapshot.entries);
    for (const LibraryPlace& place : kPlaces)
        snapshot.places.push_back({place, FileState::Present, {}, 0});
    sortGroups(snapshot, rules);
    return snapshot;
}

std::string chosen(const LibrarySnapshot& snapshot, const std::string& model, const ChoiceRules& rules) {
    const auto found = chooseEntry(snapshot, model, rules);
    return found.ok() ? snapshot.entries[*found].path : std::string(found.error().name());
}

ChoiceRules usualRules() {
    ChoiceRules rules;
    const Json order = findSetting(settings::kModelsQuantOrder)->defaultValue();
    for (const Json& group : order)
        rules.quantOrder.push_back(group.get<std::string>());
    return rules;
}

}  // namespace

class LibraryRules : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void placesOfTheEnvironment();
    void placesOnce();
    void quantLabels_data();
    void quantLabels();
    void stems();
    void splitSets();
    void splitSetWithAHole();
    void aHostileSetEnds();
    void typesOfOneModel();
    void differentModelsStayApart();
    void namesThatSayNothing();
    void projectors();
    void namesOfBlobs();
    void quantRanks();
    void autoTakesTheSeedsOrder();
    void autoTies();
    void autoTakesNothingUnusable();
    void names();
    void repositories();
};

void LibraryRules::placesOfTheEnvironment() {
    auto places = usualPlaces(queryWith({}));
    QCOMPARE(pathsOf(places, PlaceKind::Folder), Paths{"/home/jana/.local/share/gguf-loader/models"});
    QCOMPARE(pathsOf(places, PlaceKind::HubCache), Paths{"/home/jana/.cache/huggingface/hub"});
#if !defined(_WIN32) && !defined(__APPLE__)
    QCOMPARE(pathsOf(places, PlaceKind::FlatCache), Paths{"/home/jana/.cache/llama.cpp"});
#endif
    places = usualPlaces(queryWith({{"XDG_CACHE_HOME", "/c"}, {"HF_HOME", "/hf"}}));
    QCOMPARE(pathsOf(places, PlaceKind::HubCache), Paths{"/hf/hub"});
    places = usualPlaces(queryWith({{"HF_HOME", "/hf"}, {"HUGGINGFACE_HUB_CACHE", "/two"}}));
    QCOMPARE(pathsOf(places, PlaceKind::HubCache), Paths{"/two"});
    places = usualPlaces(queryWith({{"HF_HUB_CACHE", "~/one"}, {"HUGGINGFACE_HUB_CACHE", "/two"}}));
    QCOMPARE(pathsOf(places, PlaceKind::HubCache), Paths{"/home/jana/one"});
    places = usualPlaces(queryWith({{"LLAMA_CACHE", "/ll"}}));
    QCOMPARE(pathsOf(places, PlaceKind::FlatCache), Paths{"/ll"});
}

void LibraryRules::placesOnce() {
#ifndef _WIN32
    PlaceQuery query = queryWith({{"GGUF_LOADER_MODELS", "/m:/n/::/m"}, {"LLAMA_CACHE", "/n"}});
    query.folders = {"/m/", "~/mine", "/"};
    query.guide = "/guide.gguf";
    const auto places = usualPlaces(query);
    QCOMPARE(pathsOf(places, PlaceKind::Folder),
             (Paths{"/home/jana/.local/share/gguf-loader/models", "/m", "/home/jana/mine", "/", "/n"}));
    QVERIFY(pathsOf(places, PlaceKind::FlatCache).empty());
    QCOMPARE(places.front().kind, PlaceKind::BuiltIn);
    QCOMPARE(places.front().name, std::string("guide"));
    QVERIFY(places[1].usual && !places[2].usual);
#endif
}

void LibraryRules::quantLabels_data() {
    QTest::addColumn<QString>("stem");
    QTest::addColumn<QString>("label");
    QTest::addColumn<QString>("rest");
    const auto row = [](const char* stem, const char* label, const char* rest) {
        QTest::newRow(stem) << stem << label << rest;
    };
    row("Some-7B-Instruct-Q4_K_M", "Q4_K_M", "Some-7B-Instruct");
    row("some.q8_0", "q8_0", "some");
    row("Some-iq4_nl", "iq4_nl", "Some");
    row("Some-IQ2_XXS", "IQ2_XXS", "Some");
    row("Some-UD-Q4_K_XL", "Q4_K_XL", "Some");
    row("Some.i1-Q4_K_M", "Q4_K_M", "Some");
    row("Some-F16", "F16", "Some");
    row("Some-bf16", "bf16", "Some");
    row("Some-TQ1_0", "TQ1_0", "Some");
    row("Some-MXFP4_MOE", "MXFP4_MOE", "Some");
    row("Some_Q5_1", "Q5_1", "Some");
    row("Some-7B", "", "Some-7B");
    row("Q4_K_M", "", "Q4_K_M");
    row("Some-Quick", "", "Some-Quick");
    row("Some-Q", "", "Some-Q");
    row("", "", "");
    row("---", "", "---");
    row("Some-Q4_K_M-something", "", "Some-Q4_K_M-something");
}

void LibraryRules::quantLabels() {
    QFETCH(const QString, stem);
    QFETCH(const QString, label);
    QFETCH(const QString, rest);
    QCOMPARE(QString::fromStdString(quantLabelOf(stem.toStdString())), label);
    QCOMPARE(QString::fromStdString(withoutQuantLabel(stem.toStdString())), rest);
}

void LibraryRules::stems() {
    QCOMPARE(stemOf("/a/b/model.Q4_0.GGUF"), std::string("model.Q4_0"));
    QCOMPARE(stemOf("model-00002-of-00003.gguf"), std::string("model"));
    QCOMPARE(stemOf("C:\\models\\x.gguf"), std::string("x"));
    QCOMPARE(stemOf("blob"), std::string("blob"));
    QCOMPARE(sha256In(std::string(64, 'A')), std::string(64, 'a'));
    QCOMPARE(sha256In(std::string(63, 'a')), std::string());
    QCOMPARE(sha256In(std::string(64, 'g')), std::string());
}

void LibraryRules::splitSets() {
    std::vector<LibraryFile> files;
    for (const char* name :
         {"/a/m-00001-of-00003.gguf", "/a/m-00002-of-00003.gguf", "/a/m-00003-of-00003.gguf"})
        files.push_back(fileAt(name));
    files[1].file.facts.types = {{"Q6_K", 50, 600}};
    const auto entries = entriesOf(files, kPlaces);
    QCOMPARE(entries.size(), std::size_t{1});
    const LibraryEntry& entry = entries.front();
    QVERIFY(!entry.fault);
    QCOMPARE(entry.name, std::string("m"));
    QCOMPARE(entry.path, files[0].file.path);
    QCOMPARE(entry.parts.size(), std::size_t{3});
    QCOMPARE(entry.bytes, std::uint64_t{3000});
    QCOMPARE(entry.facts.parameters, std::uint64_t{1500});
    QCOMPARE(entry.facts.tensors, 30u);
    // Summed over all parts: 1000 values of Q4_K, 600 of Q6_K.
    QCOMPARE(entry.type, std::string("Q4_K"));
    QCOMPARE(entry.facts.types[0].bytes, std::uint64_t{1800});
}

void LibraryRules::splitSetWithAHole() {
    std::vector<LibraryFile> files = {fileAt("/a/m-00001-of-00003.gguf"), fileAt("/a/m-00003-of-00003.gguf")};
    auto entries = entriesOf(files, kPlaces);
    QCOMPARE(entries.size(), std::size_t{1});
    QCOMPARE(entries[0].fault->code(), Errc::S301);
    QCOMPARE(entries[0].fault->args()[1], std::string("m-00002-of-00003.gguf"));
    // Without the first one the set still has its name.
    files.erase(files.begin());
    entries = entriesOf(files, kPlaces);
    QCOMPARE(entries[0].fault->code(), Errc::S301);
    QCOMPARE(entries[0].name, std::string("m"));
    // The same numbers in another folder are another set.
    files.push_back(fileAt("/b/m-00001-of-00003.gguf"));
    QCOMPARE(entriesOf(files, kPlaces).size(), std::size_t{2});
    // A part that was there once.
    files = {fileAt("/a/m-00001-of-00002.gguf"), fileAt("/a/m-00002-of-00002.gguf")};
    files[1].state = FileState::Missing;
    entries = entriesOf(files, kPlaces);
    QCOMPARE(entries[0].fault->code(), Errc::D310);
    QCOMPARE(entries[0].state, FileState::Missing);
}

void LibraryRules::aHostileSetEnds() {
    const std::vector<LibraryFile> files = {fileAt("/a/m-00001-of-99999.gguf")};
    const auto entries = entriesOf(files, kPlaces);
    QCOMPARE(entries[0].fault->code(), Errc::S301);
    QCOMPARE(entries[0].bytes, std::uint64_t{1000});
    // Sums that no number holds do not wrap.
    std::vector<LibraryFile> huge = {fileAt("/a/h-00001-of-00002.gguf"), fileAt("/a/h-00002-of-00002.gguf")};
    for (LibraryFile& file : huge) {
        file.file.identity.bytes = ~std::uint64_t{0};
        file.file.facts.parameters = ~std::uint64_t{0} - 5;
        file.file.facts.types = {{"F32", ~std::uint64_t{0}, ~std::uint64_t{0}}};
    }
    const auto summed = entriesOf(huge, kPlaces);
    QCOMPARE(summed[0].bytes, ~std::uint64_t{0});
    QCOMPARE(summed[0].facts.parameters, ~std::uint64_t{0});
}

void LibraryRules::typesOfOneModel() {
    std::vector<LibraryFile> files = {fileAt("/a/Some-7B-IQ4_NL.gguf", "IQ4_NL"),
                                      fileAt("/a/Some-7B-Q5_1.gguf", "Q5_1"),
                                      fileAt("/b/some-7b.Q8_0.gguf", "Q8_0", 1)};
    for (LibraryFile& file : files)
        file.file.facts.name = "Some 7B";
    const LibrarySnapshot snapshot = snapshotOf(files, usualRules());
    QCOMPARE(snapshot.groups.size(), std::size_t{1});
    QCOMPARE(snapshot.groups[0].name, std::string("Some 7B"));
    QCOMPARE(snapshot.groups[0].bytes, std::uint64_t{3000});
    QCOMPARE(snapshot.groups[0].entries, (std::vector<std::size_t>{0, 1, 2}));
}

void LibraryRules::differentModelsStayApart() {
    std::vector<LibraryFile> files = {fileAt("/a/x.gguf"), fileAt("/a/y.gguf"), fileAt("/a/z.gguf"),
                                      fileAt("/a/v.gguf")};
    for (LibraryFile& file : files)
        file.file.facts.name = "Some 7B";
    files[1].file.facts.layers = 5;
    files[2].file.facts.architecture = "other";
    files[3].file.facts.baseName = "Some";
    files[3].file.facts.sizeLabel = "7B";
    files[3].file.facts.fineTune = "Instruct";
    QCOMPARE(snapshotOf(files).groups.size(), std::size_t{4});
    // 1.5B is not 15B.
    files = {fileAt("/a/Some-1.5B-Q4_0.gguf"), fileAt("/a/Some-15B-Q4_0.gguf")};
    QCOMPARE(snapshotOf(files).groups.size(), std::size_t{2});
}

void LibraryRules::namesThatSayNothing() {
    std::vector<LibraryFile> files = {fileAt("/a/First-7B-Q4_0.gguf"), fileAt("/a/Second-7B-Q4_0.gguf"),
                                      fileAt("/a/First-7B-Q8_0.gguf", "Q8_0")};
    for (LibraryFile& file : files)
        file.file.facts.name = ".";
    const LibrarySnapshot snapshot = snapshotOf(files);
    QCOMPARE(snapshot.groups.size(), std::size_t{2});
    QCOMPARE(snapshot.groups[0].name, std::string("First-7B"));
    QCOMPARE(snapshot.groups[0].entries.size(), std::size_t{2});
    // What cannot be read is like nothing else.
    files = {fileAt("/a/broken-1.gguf"), fileAt("/a/broken-2.gguf")};
    for (LibraryFile& file : files) {
        file.file.facts = {};
        file.file.fault = {Error(Errc::GG001, {"4"})};
    }
    QCOMPARE(snapshotOf(files).groups.size(), std::size_t{2});
}

void LibraryRules::projectors() {
    std::vector<LibraryFile> files = {fileAt("/a/eyes/mmproj-F16.gguf"), fileAt("/a/eyes/Some-Q4_0.gguf"),
                                      fileAt("/a/plain/Other-Q4_0.gguf")};
    files[0].file.facts.sideFile = "a vision projector";
    auto entries = entriesOf(files, kPlaces);
    QCOMPARE(entries[0].kind, LibraryKind::Projector);
    QCOMPARE(entries[1].projectors, Paths{"/a/eyes/mmproj-F16.gguf"});
    QVERIFY(entries[2].projectors.empty());
    // Where several models lie in one folder, the name says which.
    files.push_back(fileAt("/a/eyes/Third-Q4_0.gguf"));
    files.push_back(fileAt("/a/eyes/mmproj-Third-F16.gguf"));
    files[4].file.facts.sideFile = "a vision projector";
    entries = entriesOf(files, kPlaces);
    QCOMPARE(entries[3].projectors, (Paths{"/a/eyes/mmproj-F16.gguf", "/a/eyes/mmproj-Third-F16.gguf"}));
    QCOMPARE(entries[1].projectors, Paths{"/a/eyes/mmproj-F16.gguf"});
    // One that is missing goes with nothing; one that was given stays.
    files[0].state = FileState::Missing;
    files[1].projector = "/elsewhere/p.gguf";
    entries = entriesOf(files, kPlaces);
    QCOMPARE(entries[1].projectors, Paths{"/elsewhere/p.gguf"});
    files[2].file.facts.sideFile = "an adapter";
    QCOMPARE(entriesOf(files, kPlaces)[2].kind, LibraryKind::Adapter);
}

void LibraryRules::namesOfBlobs() {
    std::vector<LibraryFile> files = {fileAt("/b/sha256-" + std::string(64, 'a')),
                                      fileAt("/b/" + std::string(64, 'c'))};
    files[0].file.facts.name = "Some 7B";
    const auto entries = entriesOf(files, kPlaces);
    QCOMPARE(entries[0].name, std::string("Some 7B"));
    QCOMPARE(entries[1].name, std::string(64, 'c'));
    files[0].file.name = "some:7b";
    QCOMPARE(entriesOf(files, kPlaces)[0].name, std::string("some:7b"));
}

void LibraryRules::quantRanks() {
    const std::vector<std::string> order = {"Q4 IQ4", "Q5", "Q8"};
    QCOMPARE(quantRank("Q4_K", order), std::size_t{0});
    QCOMPARE(quantRank("IQ4_NL", order), std::size_t{0});
    QCOMPARE(quantRank("q5_1", order), std::size_t{1});
    QCOMPARE(quantRank("Q8_0", order), std::size_t{2});
    QCOMPARE(quantRank("F16", order), std::size_t{3});
    QCOMPARE(quantRank("", order), std::size_t{3});
    QCOMPARE(quantRank("Q8_0", {}), std::size_t{0});
    // Odd settings do no harm.
    const std::vector<std::string> odd = {"", "  ", " Q8  Q5 "};
    QCOMPARE(quantRank("Q5_0", odd), std::size_t{2});
    QCOMPARE(quantRank("Q4_0", odd), std::size_t{3});
}

void LibraryRules::autoTakesTheSeedsOrder() {
    std::vector<LibraryFile> files = {fileAt("/a/m-F16.gguf", "F16"), fileAt("/a/m-Q8_0.gguf", "Q8_0"),
                                      fileAt("/a/m-Q5_1.gguf", "Q5_1"), fileAt("/a/m-IQ4_NL.gguf", "IQ4_NL")};
    // Whatever comes first in the folder; each in turn, best first.
    for (const char* expected : {"/a/m-IQ4_NL.gguf", "/a/m-Q5_1.gguf", "/a/m-Q8_0.gguf", "/a/m-F16.gguf"}) {
        QCOMPARE(chosen(snapshotOf(files), "auto", usualRules()), std::string(expected));
        std::erase_if(files, [&](const LibraryFile& file) { return file.file.path == expected; });
    }
    QCOMPARE(chosen(snapshotOf(files), "auto", usualRules()), std::string("D313"));
    // The setting decides, not the program.
    files = {fileAt("/a/m-Q8_0.gguf", "Q8_0"), fileAt("/a/m-Q4_0.gguf", "Q4_0")};
    QCOMPARE(chosen(snapshotOf(files), "auto", {{"Q8"}, 0}), std::string("/a/m-Q8_0.gguf"));
}

void LibraryRules::autoTies() {
    const ChoiceRules rules = usualRules();
    // The user's folders before caches.
    std::vector<LibraryFile> files = {fileAt("/hub/m.gguf", "Q4_K", 2), fileAt("/b/m.gguf", "Q4_0", 1)};
    files[0].file.facts.parameters = 9000;
    QCOMPARE(chosen(snapshotOf(files), "auto", rules), std::string("/b/m.gguf"));
    // The larger model, then the larger file, then the first place, then the first path.
    files = {fileAt("/a/small.gguf"), fileAt("/b/large.gguf", "Q4_0", 1)};
    files[1].file.facts.parameters = 501;
    QCOMPARE(chosen(snapshotOf(files), "auto", rules), std::string("/b/large.gguf"));
    files[1].file.facts.parameters = 500;
    files[1].file.identity.bytes = 1001;
    QCOMPARE(chosen(snapshotOf(files), "auto", rules), std::string("/b/large.gguf"));
    files[1].file.identity.bytes = 1000;
    QCOMPARE(chosen(snapshotOf(files), "auto", rules), std::string("/a/small.gguf"));
    files = {fileAt("/a/y.gguf"), fileAt("/a/x.gguf")};
    QCOMPARE(chosen(snapshotOf(files), "auto", rules), std::string("/a/x.gguf"));
    std::reverse(files.begin(), files.end());
    QCOMPARE(chosen(snapshotOf(files), "auto", rules), std::string("/a/x.gguf"));
    // What is larger than the memory comes last, whatever its type.
    files = {fileAt("/a/huge.gguf", "Q4_0"), fileAt("/a/fits.gguf", "F16")};
    files[0].file.identity.bytes = 5000;
    QCOMPARE(chosen(snapshotOf(files), "auto", {rules.quantOrder, 4000}), std::string("/a/fits.gguf"));
    QCOMPARE(chosen(snapshotOf(files), "auto", {rules.quantOrder, 5000}), std::string("/a/huge.gguf"));
    QCOMPARE(chosen(snapshotOf(files), "auto", {rules.quantOrder, 10}), std::string("/a/huge.gguf"));
}

void LibraryRules::autoTakesNothingUnusable() {
    std::vector<LibraryFile> files;
    for (const char* name : {"fault", "missing", "unknown", "projector", "empty"})
        files.push_back(fileAt(std::string("/a/") + name + ".gguf"));
    files[0].file.fault = {Error(Errc::GG055, {"x", "1", "2"})};
    files[1].state = FileState::Missing;
    files[2].file.facts.known = false;
    files[3].file.facts.sideFile = "a vision projector";
    files[4].file.facts.tensors = 0;
    files.push_back(fileAt("/guide.gguf", "Q4_0", 3));
    files[5].file.name = "guide";
    const auto found = chooseEntry(snapshotOf(files), "auto", usualRules());
    QCOMPARE(found.error().code(), Errc::D313);
    QVERIFY(found.error().args()[0].find("/hub") != std::string::npos);
    // A split set without all its parts is none of them either.
    files.push_back(fileAt("/a/s-00001-of-00002.gguf"));
    QCOMPARE(chosen(snapshotOf(files), "auto", usualRules()), std::string("D313"));
}

void LibraryRules::names() {
    std::vector<LibraryFile> files = {
        fileAt("/a/Some-Q4_0.gguf", "Q4_0"), fileAt("/a/Some-Q8_0.gguf", "Q8_0"),
        fileAt("/b/Some-Q8_0.gguf", "Q8_0", 1), fileAt("/b/set-00001-of-00001.gguf", "F16", 1)};
    const LibrarySnapshot snapshot = snapshotOf(files);
    const ChoiceRules rules = usualRules();
    for (const char* name : {"Some-Q8_0", "Some-Q8_0.gguf", "Some:Q8_0", "some:q8_0"})
        QCOMPARE(chosen(snapshot, name, rules), std::string("/a/Some-Q8_0.gguf"));
    for (const char* name : {"Some", "some", "SOME"})
        QCOMPARE(chosen(snapshot, name, rules), std::string("/a/Some-Q4_0.gguf"));
    QCOMPARE(chosen(snapshot, "set", rules), std::string("/b/set-00001-of-00001.gguf"));
    for (const char* name : {"", ":", "Some:", ":Q8_0", "Some:Q2_K", "So", "Some-Q8", "..", "/"})
        QCOMPARE(chosen(snapshot, name, rules), std::string("F802"));
    // Of two that are called the same, the one that loads.
    files[1].file.fault = {Error(Errc::GG001, {"4"})};
    QCOMPARE(chosen(snapshotOf(files), "Some-Q8_0", rules), std::string("/b/Some-Q8_0.gguf"));
}

void LibraryRules::repositories() {
    std::vector<LibraryFile> files = {fileAt("/hub/x/m-Q8_0.gguf", "Q8_0", 2),
                                      fileAt("/hub/x/m-Q4_K_M.gguf", "Q4_K", 2)};
    for (LibraryFile& file : files)
        file.file.repository = "some/model-GGUF";
    const LibrarySnapshot snapshot = snapshotOf(files);
    QCOMPARE(chosen(snapshot, "some/model-GGUF", usualRules()), std::string("/hub/x/m-Q4_K_M.gguf"));
    QCOMPARE(chosen(snapshot, "some/model-gguf:Q8_0", usualRules()), std::string("/hub/x/m-Q8_0.gguf"));
    QCOMPARE(chosen(snapshot, "some/model-GGUF:Q4_K_M", usualRules()), std::string("/hub/x/m-Q4_K_M.gguf"));
    QCOMPARE(chosen(snapshot, "other/model-GGUF", usualRules()), std::string("F802"));
}

}  // namespace loader::app

QTEST_GUILESS_MAIN(loader::app::LibraryRules)
#include "tst_library_rules.moc"
