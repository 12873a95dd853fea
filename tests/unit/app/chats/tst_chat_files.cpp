// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Chats that leave and arrive: files of ours byte for byte, chats of other programs once and only once.

#include <QTest>
#include <array>
#include <cstdlib>

#include "core/app/chats/chat_export.h"
#include "core/app/chats/chat_writer.h"
#include "tests/unit/app/chats/store_harness.h"

using namespace loader;
using namespace loader::app;
using namespace loader::test;

namespace {

ImportedConversation conversation(std::string identity) {
    ImportedConversation chat;
    chat.identity = std::move(identity);
    chat.title = "Imported";
    chat.messages.push_back({"user", "hello", {}, {}, 1000, {}});
    chat.messages.push_back({"assistant", "hi", "hm", "some-model", 2000, 0});
    return chat;
}

void fill(ChatStore& store) {
    const auto folder = store.addFolder("out\"er");
    const auto inner = store.addFolder("<inner>", *folder);
    NewChat chat;
    chat.title = "A & B <script>alert(1)</script>";
    chat.folder = *inner;
    chat.model = "/models/a.gguf";
    chat.systemPrompt = "Be \"brief\".";
    chat.settings = {{"sampling.temperature", 0.5}, {"answer.stop", {"\n"}}};
    const auto first = store.addChat(chat);
    const auto question =
        store.append(*first, said("user", "# not a heading\n<b>&amp;</b> \xF0\x9F\x98\x80"));
    NewMessage answer = said("assistant", "first \\ answer\ttab\x01");
    answer.reasoning = "I think\nso";
    answer.model = "model [x](y)";
    static_cast<void>(store.append(*first, answer));
    static_cast<void>(store.edit(*question, "second branch"));
    static_cast<void>(store.setPinned(*first, true));
    const auto second = store.addChat({});
    const auto gone = store.append(*second, said("tool", ""));
    static_cast<void>(store.deleteMessage(*gone));
    static_cast<void>(store.moveToBin(std::array{*second}));
    const auto third = store.addChat({});
    static_cast<void>(store.setArchived(*third, true));
}

}  // namespace

class TstChatFiles : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void jsonComesBackByteForByte();
    void changedChatsComeBeside();
    void otherFilesAreRefused();
    void markupIsEscaped();
    void formatsAreKnownByName();
    void importHappensOnce();
    void brokenTreesAreRepaired();
    void hostileTextIsKept();
    void manyChatsCanBeCancelled();
    void backupsRotate();
};

void TstChatFiles::jsonComesBackByteForByte() {
    StoreHarness one;
    auto source = one.open();
    CHAT_VERIFY(source);
    fill(**source);
    const std::string path = one.folder() + "/all.json";
    CHAT_VERIFY(exportChats(**source, {}, ChatFormat::JsonFile, path));
    const std::string bytes = StoreHarness::bytesOf(path);
    QVERIFY(Json::accept(bytes));

    StoreHarness two;
    auto target = two.open();
    CHAT_VERIFY(target);
    const auto counts = importChatFile(**target, path);
    CHAT_VERIFY(counts);
    QCOMPARE(counts->added, std::size_t{3});
    QCOMPARE(counts->repaired, std::size_t{0});
    const std::string again = two.folder() + "/all.json";
    CHAT_VERIFY(exportChats(**target, {}, ChatFormat::JsonFile, again));
    QCOMPARE(StoreHarness::bytesOf(again), bytes);
    QCOMPARE(shownOf(**target, 1), shownOf(**source, 1));

    // Into where it came from, and a second time: nothing happens.
    for (ChatStore* store : {source->get(), target->get()}) {
        const auto repeated = importChatFile(*store, path);
        CHAT_VERIFY(repeated);
        QCOMPARE(repeated->added, std::size_t{0});
        QCOMPARE(repeated->present, std::size_t{3});
    }
    CHAT_VERIFY(exportChats(**target, {}, ChatFormat::JsonFile, again));
    QCOMPARE(StoreHarness::bytesOf(again), bytes);
}

void TstChatFiles::changedChatsComeBeside() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    fill(store);
    const std::string path = harness.folder() + "/one.json";
    CHAT_VERIFY(exportChats(store, std::array{ChatId{1}}, ChatFormat::JsonFile, path));
    CHAT_VERIFY(store.append(1, said("user", "since then")));
    QCOMPARE(importChatFile(store, path)->added, std::size_t{1});
    QCOMPARE(importChatFile(store, path)->added, std::size_t{0});
    const std::string now = shownOf(store, 1);
    QVERIFY(now.ends_with("since then"));
}

void TstChatFiles::otherFilesAreRefused() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    const std::string path = harness.folder() + "/x.json";
    const std::array<std::pair<const char*, Errc>, 6> cases = {{
        {"", Errc::C501},
        {"{}", Errc::C501},
        {"[1,2]", Errc::C501},
        {R"({"format":"gguf-loader-chats","version":1})", Errc::C501},
        {R"({"format":"gguf-loader-chats","version":99,"chats":[]})", Errc::D302},
        {R"({"format":"gguf-loader-chats","version":1,"chats":[{"messages":[{"role":"x"}]}]})", Errc::C501},
    }};
    for (const auto& [text, code] : cases) {
        StoreHarness::write(path, text);
        QCOMPARE(importChatFile(**opened, path).error().code(), code);
    }
    // A chat that failed left nothing behind.
    QCOMPARE((*opened)->list()->size(), std::size_t{0});
    StoreHarness::write(path,
                        R"({"format":"gguf-loader-chats","version":1,"chats":[{"active":77,"folder":[1,null],
        "messages":[{"role":"user","text":"a","parent":5},{"role":"user","text":"b","parent":-1,"state":9}]}]})");
    const auto counts = importChatFile(**opened, path);
    CHAT_VERIFY(counts);
    QCOMPARE(counts->repaired, std::size_t{2});
}

void TstChatFiles::markupIsEscaped() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    fill(store);
    CHAT_VERIFY(store.show(1));
    const auto html = chatText(store, 1, ChatFormat::Html);
    CHAT_VERIFY(html);
    QVERIFY(html->find("<script>") == std::string::npos);
    QVERIFY(html->find("<b>") == std::string::npos);
    QVERIFY(html->find("&lt;b&gt;&amp;amp;&lt;/b&gt;") != std::string::npos);
    QVERIFY(html->find("I think\nso") != std::string::npos);
    const auto markdown = chatText(store, 1, ChatFormat::Markdown);
    CHAT_VERIFY(markdown);
    QVERIFY(markdown->starts_with("# A & B \\<script\\>alert(1)\\</script\\>\n"));
    QVERIFY(markdown->find("> I think\n> so\n") != std::string::npos);
    QVERIFY(markdown->find("## model \\[x\\](y) (2026-11-22 00:00 UTC)") != std::string::npos);
    const auto text = chatText(store, 1, ChatFormat::PlainText);
    CHAT_VERIFY(text);
    QVERIFY(text->find("first \\ answer\ttab\x01\n") != std::string::npos);
    const std::string page = harness.folder() + "/page.html";
    CHAT_VERIFY(exportChats(store, {}, ChatFormat::Html, page));
    QVERIFY(StoreHarness::bytesOf(page).ends_with("</html>\n"));
}

void TstChatFiles::formatsAreKnownByName() {
    QVERIFY(*chatFormatOf("x.json") == ChatFormat::JsonFile);
    QVERIFY(*chatFormatOf("md") == ChatFormat::Markdown);
    QVERIFY(*chatFormatOf("/a.b/x.html") == ChatFormat::Html);
    QVERIFY(*chatFormatOf("txt") == ChatFormat::PlainText);
    QCOMPARE(chatFormatOf("pdf").error().code(), Errc::D305);
}

void TstChatFiles::importHappensOnce() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    ChatImportCounts counts;
    ImportedConversation chat = conversation("program:1");
    chat.folder = "Program";
    chat.title = "";
    QVERIFY(*store.import(chat, counts));
    QVERIFY(!*store.import(chat, counts));
    QCOMPARE(counts.added, std::size_t{1});
    QCOMPARE(counts.present, std::size_t{1});
    const auto kept = store.chat(1);
    CHAT_VERIFY(kept);
    QCOMPARE(kept->summary.title, std::string("hello"));
    QCOMPARE(kept->summary.created, std::int64_t{1000});
    QCOMPARE(kept->summary.changed, std::int64_t{2000});
    QCOMPARE(kept->summary.model, std::string("some-model"));
    QCOMPARE(store.folders()->front().name, std::string("Program"));
    QCOMPARE(shownOf(store, 1), std::string("user:hello assistant:hi"));
    // In the bin it counts as there; gone for good it may come again.
    CHAT_VERIFY(store.moveToBin(std::array{ChatId{1}}));
    QVERIFY(!*store.import(chat, counts));
    QCOMPARE(*store.emptyBin(true), std::size_t{1});
    QVERIFY(*store.import(chat, counts));
    chat.identity.clear();
    QCOMPARE(store.import(chat, counts).error().code(), Errc::D305);
}

void TstChatFiles::brokenTreesAreRepaired() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    ImportedConversation chat;
    chat.identity = "program:broken";
    // 0 and 1 follow each other, 2 follows itself, 3 follows nothing that is there, 5 stands before what it
    // follows.
    chat.messages = {{"user", "a", {}, {}, {}, 1},   {"user", "b", {}, {}, {}, 0},
                     {"user", "c", {}, {}, {}, 2},   {"user", "d", {}, {}, {}, 99},
                     {"robot", "e", {}, {}, {}, {}}, {"assistant", "f", {}, {}, {}, 6},
                     {"user", "g", {}, {}, {}, {}}};
    ChatImportCounts counts;
    QVERIFY(*store.import(chat, counts));
    QCOMPARE(counts.repaired, std::size_t{3});
    const auto tree = store.tree(1);
    CHAT_VERIFY(tree);
    QCOMPARE(tree->size(), std::size_t{7});
    for (const Message& message : *tree)
        QVERIFY(!message.parent || *message.parent < message.id);
    QCOMPARE(shownOf(store, 1), std::string("user:g"));
    CHAT_VERIFY(store.show(tree->at(0).id));
    // A chain so long that recursion would end the program.
    ImportedConversation longChat;
    longChat.identity = "program:long";
    constexpr std::size_t kLength = 50'000;
    for (std::size_t i = 0; i < kLength; ++i)
        longChat.messages.push_back(
            {"user", "m", {}, {}, {}, i + 1 < kLength ? std::optional(i + 1) : std::nullopt});
    QVERIFY(*store.import(longChat, counts));
    CHAT_VERIFY(store.branch(2));
    QCOMPARE(store.tree(2)->size(), kLength);
}

void TstChatFiles::hostileTextIsKept() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const auto chat = store.addChat({});
    CHAT_VERIFY(chat);
    const std::string zero("a\0b", 3);
    CHAT_VERIFY(store.append(*chat, said("user", zero)));
    CHAT_VERIFY(store.append(*chat, said("user", "\xED\xA0\x80 lone")));
    CHAT_VERIFY(store.append(*chat, said("user", "\xFF\xC3(")));
    std::string large(50u << 20, 'x');
    for (std::size_t i = 0; i < large.size(); i += 7)
        large[i] = ' ';
    CHAT_VERIFY(store.append(*chat, said("user", large)));
    QCOMPARE(store.append(*chat, said("user", std::string(kMostMessageBytes + 1, 'x'))).error().code(),
             Errc::D305);
    const auto branch = store.branch(*chat);
    CHAT_VERIFY(branch);
    QCOMPARE(branch->at(0).text, std::string("a\xEF\xBF\xBD"
                                             "b"));
    QVERIFY(branch->at(1).text.ends_with(" lone"));
    QVERIFY(branch->at(2).text.ends_with("("));
    QVERIFY(branch->at(3).text == large);
    QCOMPARE(store.search("lone")->hits.size(), std::size_t{1});
    CHAT_VERIFY(store.checkNow({}));
}

void TstChatFiles::manyChatsCanBeCancelled() {
    const bool all = std::getenv("LOADER_TEST_LONG") != nullptr;
    const std::size_t count = all ? 200'000 : 5'000;
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    std::vector<ImportedConversation> chats;
    for (std::size_t i = 0; i < count; ++i)
        chats.push_back(conversation("program:" + std::to_string(i)));
    std::size_t calls = 0;
    const auto stopped = store.importAll(chats, [&](std::size_t done, std::size_t) {
        ++calls;
        return done < count / 2;
    });
    CHAT_VERIFY(stopped);
    QVERIFY(stopped->added >= count / 2 && stopped->added < count);
    QVERIFY(calls > 2);
    const auto rest = store.importAll(chats);
    CHAT_VERIFY(rest);
    QCOMPARE(rest->added + stopped->added, count);
    QCOMPARE(rest->present, stopped->added);
    QCOMPARE(store.list()->size(), count);
}

void TstChatFiles::backupsRotate() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    fill(store);
    constexpr std::int64_t kDay = 86'400'000;
    for (int day = 0; day < 10; ++day) {
        const auto made = store.backUp();
        CHAT_VERIFY(made);
        QVERIFY(!made->empty());
        QVERIFY(store.backUp()->empty());
        harness.now += kDay;
    }
    QStringList names = QDir(QString::fromStdString(harness.backups())).entryList(QDir::Files);
    QCOMPARE(names.size(), 7);
    QCOMPARE(names.first(), QStringLiteral("chats-2026-11-25.db"));
    QCOMPARE(names.last(), QStringLiteral("chats-2026-12-01.db"));
    auto copy = ChatStore::open(harness.backups() + "/chats-2026-12-01.db");
    CHAT_VERIFY(copy);
    QCOMPARE(shownOf(**copy, 1), shownOf(store, 1));
    CancelFlag flag;
    flag.request();
    QCOMPARE(store.backUp(flag).error().code(), Errc::X002);
    QCOMPARE(
        QDir(QString::fromStdString(harness.backups())).entryList(QDir::Files).filter("unfinished").size(),
        0);
}

QTEST_GUILESS_MAIN(TstChatFiles)
#include "tst_chat_files.moc"
