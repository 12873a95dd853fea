// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Folders, chats, branches, the bin, taking back, answers that grow, and search.

#include <QTest>
#include <array>

#include "core/app/chats/streamed_answer.h"
#include "tests/unit/app/chats/store_harness.h"

using namespace loader;
using namespace loader::app;
using namespace loader::test;

namespace {

ChatId newChat(ChatStore& store, std::string title) {
    NewChat chat;
    chat.title = std::move(title);
    const auto id = store.addChat(chat);
    return id ? *id : 0;
}

MessageId say(ChatStore& store, ChatId chat, const char* role, std::string text) {
    const auto id = store.append(chat, said(role, std::move(text)));
    return id ? *id : 0;
}

std::string titles(ChatStore& store, const ChatListOptions& options = {}) {
    const auto list = store.list(options);
    if (!list) return list.error().toString();
    std::string text;
    for (const ChatSummary& chat : *list)
        text += (text.empty() ? "" : ",") + chat.title;
    return text;
}

}  // namespace

class TstChatStore : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void chatsKeepTheirOrder();
    void foldersAndTheirContents();
    void settingsAreThoseOfAModel();
    void editsMakeBranches();
    void deletedMessagesComeBack();
    void theBinHoldsThirtyDays();
    void everythingCanBeTakenBack();
    void answersGrow();
    void cutOffAnswersAreKeptAndResumed();
    void searchFindsWords();
    void searchShowsPages();
    void searchTakesAnyText();
    void twoStoresShareAFile();
    void newerSchemaIsOnlyRead();
    void pragmasHold();
};

void TstChatStore::chatsKeepTheirOrder() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const ChatId first = newChat(store, "first");
    harness.now += 1000;
    const ChatId second = newChat(store, "second");
    harness.now += 1000;
    newChat(store, "third");
    QCOMPARE(titles(store), std::string("third,second,first"));
    harness.now += 1000;
    QVERIFY(say(store, first, "user", "hello") > 0);
    QCOMPARE(titles(store), std::string("first,third,second"));
    CHAT_VERIFY(store.setPinned(second, true));
    QCOMPARE(titles(store), std::string("second,first,third"));
    CHAT_VERIFY(store.setArchived(first, true));
    QCOMPARE(titles(store), std::string("second,third"));
    ChatListOptions archived;
    archived.shelf = ChatListOptions::Shelf::Archived;
    QCOMPARE(titles(store, archived), std::string("first"));
    ChatListOptions page;
    page.limit = 1;
    page.offset = 1;
    QCOMPARE(titles(store, page), std::string("third"));
    QCOMPARE(store.rename(99, "x").error().code(), Errc::D304);
    CHAT_VERIFY(store.rename(second, "two\nlines\x01"));
    QCOMPARE(store.chat(second)->summary.title, std::string("two lines "));
}

void TstChatStore::foldersAndTheirContents() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const auto work = store.addFolder("work");
    CHAT_VERIFY(work);
    const auto inner = store.addFolder("inner", *work);
    CHAT_VERIFY(inner);
    const ChatId chat = newChat(store, "chat");
    CHAT_VERIFY(store.moveTo(chat, *inner));
    QCOMPARE(store.moveTo(chat, 77).error().code(), Errc::D304);
    ChatListOptions inside;
    inside.folder = *inner;
    QCOMPARE(titles(store, inside), std::string("chat"));
    inside.folder = 0;
    QCOMPARE(titles(store, inside), std::string());
    CHAT_VERIFY(store.deleteFolder(*inner));
    QCOMPARE(store.chat(chat)->summary.folder, std::optional<FolderId>(*work));
    QCOMPARE(store.folders()->size(), std::size_t{1});
    QCOMPARE(*store.undo(), std::string("delete folder"));
    QCOMPARE(store.chat(chat)->summary.folder, std::optional<FolderId>(*inner));
    QCOMPARE(store.folders()->at(1).name, std::string("inner"));
}

void TstChatStore::settingsAreThoseOfAModel() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const ChatId chat = newChat(store, "chat");
    CHAT_VERIFY(store.setSettings(chat, {{"sampling.temperature", 0.5}}));
    QCOMPARE(store.chat(chat)->settings.dump(), std::string("{\"sampling.temperature\":0.5}"));
    QCOMPARE(store.setSettings(chat, {{"window.theme", "dark"}}).error().code(), Errc::D305);
    QCOMPARE(store.setSettings(chat, {{"sampling.temperature", -1}}).error().code(), Errc::D305);
    QCOMPARE(store.setSettings(chat, Json::array()).error().code(), Errc::D305);
    QCOMPARE(store.chat(chat)->settings.dump(), std::string("{\"sampling.temperature\":0.5}"));
}

void TstChatStore::editsMakeBranches() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const ChatId chat = newChat(store, "chat");
    const MessageId question = say(store, chat, "user", "one");
    say(store, chat, "assistant", "1");
    say(store, chat, "user", "more");
    const MessageId last = say(store, chat, "assistant", "1.1");
    const auto edited = store.edit(question, "two");
    CHAT_VERIFY(edited);
    say(store, chat, "assistant", "2");
    QCOMPARE(shownOf(store, chat), std::string("user:two assistant:2"));
    const auto shown = store.branch(chat);
    QCOMPARE(shown->front().branches, 2);
    QCOMPARE(shown->front().branch, 1);
    CHAT_VERIFY(store.show(question));
    QCOMPARE(shownOf(store, chat), std::string("user:one assistant:1 user:more assistant:1.1"));
    // Another answer to the same question.
    CHAT_VERIFY(store.edit(last, "better"));
    QCOMPARE(shownOf(store, chat), std::string("user:one assistant:1 user:more assistant:better"));
    QCOMPARE(store.tree(chat)->size(), std::size_t{7});
    QCOMPARE(store.edit(999, "x").error().code(), Errc::D304);
    QCOMPARE(store.append(chat, said("robot", "x")).error().code(), Errc::D305);
    QCOMPARE(store.append(77, said("user", "x")).error().code(), Errc::D304);
}

void TstChatStore::deletedMessagesComeBack() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const ChatId chat = newChat(store, "chat");
    say(store, chat, "user", "a");
    const MessageId second = say(store, chat, "assistant", "b");
    say(store, chat, "user", "zebra");
    CHAT_VERIFY(store.deleteMessage(second));
    QCOMPARE(shownOf(store, chat), std::string("user:a"));
    QCOMPARE(store.search("zebra")->hits.size(), std::size_t{0});
    QCOMPARE(store.tree(chat, true)->size(), std::size_t{3});
    QCOMPARE(*store.undo(), std::string("delete message"));
    QCOMPARE(shownOf(store, chat), std::string("user:a assistant:b user:zebra"));
    // The other branch is shown where there is one.
    const auto other = store.edit(second, "B");
    CHAT_VERIFY(other);
    CHAT_VERIFY(store.deleteMessage(*other));
    QCOMPARE(shownOf(store, chat), std::string("user:a assistant:b"));
}

void TstChatStore::theBinHoldsThirtyDays() {
    StoreHarness harness;
    {
        auto opened = harness.open();
        CHAT_VERIFY(opened);
        ChatStore& store = **opened;
        const ChatId chat = newChat(store, "old");
        say(store, chat, "user", "findable");
        CHAT_VERIFY(store.moveToBin(std::array{chat}));
        QCOMPARE(titles(store), std::string());
        QCOMPARE(store.search("findable")->hits.size(), std::size_t{0});
        ChatListOptions bin;
        bin.shelf = ChatListOptions::Shelf::Bin;
        QCOMPARE(titles(store, bin), std::string("old"));
        CHAT_VERIFY(store.restore(std::array{chat}));
        QCOMPARE(store.search("findable")->hits.size(), std::size_t{1});
        CHAT_VERIFY(store.moveToBin(std::array{chat}));
    }
    constexpr std::int64_t kDay = 86'400'000;
    harness.now += 29 * kDay;
    {
        auto opened = harness.open();
        CHAT_VERIFY(opened);
        CHAT_VERIFY((*opened)->restore(std::array{ChatId{1}}));
        QCOMPARE(titles(**opened), std::string("old"));
        CHAT_VERIFY((*opened)->moveToBin(std::array{ChatId{1}}));
    }
    harness.now += 31 * kDay;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    QCOMPARE((*opened)->chat(1).error().code(), Errc::D304);
    QCOMPARE(*(*opened)->database().number("SELECT count(*) FROM messages"), std::optional<std::int64_t>(0));
    CHAT_VERIFY((*opened)->checkNow({}));
}

void TstChatStore::everythingCanBeTakenBack() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const auto folder = store.addFolder("f");
    const ChatId chat = newChat(store, "title");
    say(store, chat, "user", "hello");
    const std::string before = Json(store.chat(chat)->summary.title).dump() + store.chat(chat)->systemPrompt;
    CHAT_VERIFY(store.rename(chat, "other"));
    CHAT_VERIFY(store.setPinned(chat, true));
    CHAT_VERIFY(store.setArchived(chat, true));
    CHAT_VERIFY(store.setModel(chat, "m"));
    CHAT_VERIFY(store.setSystemPrompt(chat, "p"));
    CHAT_VERIFY(store.setSettings(chat, {{"load.context", 5}}));
    CHAT_VERIFY(store.moveTo(chat, *folder));
    CHAT_VERIFY(store.renameFolder(*folder, "g"));
    CHAT_VERIFY(store.moveToBin(std::array{chat}));
    std::string labels;
    while (true) {
        const auto label = store.undo();
        CHAT_VERIFY(label);
        if (label->empty()) break;
        labels += *label + ",";
    }
    QCOMPARE(labels, std::string("delete chats,rename folder,move chat,change settings,change system prompt,"
                                 "change model,archive chat,pin chat,rename chat,"));
    const auto after = store.chat(chat);
    QCOMPARE(Json(after->summary.title).dump() + after->systemPrompt, before);
    QVERIFY(!after->summary.pinned && !after->summary.archived && !after->summary.folder);
    QVERIFY(!after->summary.deleted && after->summary.model.empty() && after->settings.empty());
    QCOMPARE(store.folders()->front().name, std::string("f"));
    QCOMPARE(titles(store), std::string("title"));
}

void TstChatStore::answersGrow() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const ChatId chat = newChat(store, "chat");
    say(store, chat, "user", "question");
    auto answer = StreamedAnswer::begin(store, chat, said("assistant", ""));
    CHAT_VERIFY(answer);
    for (int i = 0; i < 1000; ++i)
        CHAT_VERIFY(answer->add("w", i == 0 ? "thought" : ""));
    // A thousand pieces in far less than half a second are not a thousand writes.
    QVERIFY(answer->writes() < 10);
    CHAT_VERIFY(answer->add("\xC3"));
    CHAT_VERIFY(answer->add("\xA4 zebra"));
    CHAT_VERIFY(answer->finish());
    const auto branch = store.branch(chat);
    QCOMPARE(branch->back().text, std::string(1000, 'w') + "\xC3\xA4 zebra");
    QCOMPARE(branch->back().reasoning, std::string("thought"));
    QVERIFY(branch->back().state == MessageState::Complete);
    QCOMPARE(store.search("zebra")->hits.size(), std::size_t{1});
    QCOMPARE(store.growAnswer(answer->message(), "more").error().code(), Errc::D304);
}

void TstChatStore::cutOffAnswersAreKeptAndResumed() {
    StoreHarness harness;
    MessageId id = 0;
    {
        auto opened = harness.open();
        CHAT_VERIFY(opened);
        const ChatId chat = newChat(**opened, "chat");
        say(**opened, chat, "user", "question");
        const auto begun = (*opened)->beginAnswer(chat, said("assistant", ""));
        CHAT_VERIFY(begun);
        id = *begun;
        CHAT_VERIFY((*opened)->growAnswer(id, "half an"));
    }
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    QVERIFY(store.branch(1)->back().state == MessageState::CutOff);
    QCOMPARE(store.search("half")->hits.size(), std::size_t{1});
    CHAT_VERIFY(store.resumeAnswer(id));
    CHAT_VERIFY(store.growAnswer(id, " answer"));
    // A second start takes it for cut off; the writer goes on all the same.
    {
        auto second = harness.open();
        CHAT_VERIFY(second);
    }
    CHAT_VERIFY(store.growAnswer(id, " is whole"));
    CHAT_VERIFY(store.finishAnswer(id));
    QCOMPARE(store.branch(1)->back().text, std::string("half an answer is whole"));
    QCOMPARE(store.search("\"answer is whole\"")->hits.size(), std::size_t{1});
    CHAT_VERIFY(store.checkNow({}));
    CHAT_VERIFY(
        store.database().execute("INSERT INTO message_index(message_index) VALUES('integrity-check')"));
}

void TstChatStore::searchFindsWords() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const ChatId a = newChat(store,
                             "Recipes for d\xC3\xBC"
                             "nner people");
    const ChatId b = newChat(store, "other");
    say(store, a, "user", "Wie backt man \xC3\x84pfel im Schlafrock?");
    say(store, a, "assistant", "Mit Butter und apfel");
    say(store, b, "user", "apples and oranges");
    auto found = store.search("apfel");
    CHAT_VERIFY(found);
    QCOMPARE(found->hits.size(), std::size_t{2});
    QCOMPARE(found->hits[0].snippet, std::string("Mit Butter und apfel"));
    QCOMPARE(found->hits[0].marks.size(), std::size_t{1});
    QCOMPARE(found->hits[0].snippet.substr(found->hits[0].marks[0].offset, found->hits[0].marks[0].length),
             std::string("apfel"));
    // The last word may be a beginning, the others not; all must occur.
    QCOMPARE(store.search("app")->hits.size(), std::size_t{1});
    QCOMPARE(store.search("app and")->hits.size(), std::size_t{0});
    QCOMPARE(store.search("apples oran")->hits.size(), std::size_t{1});
    QCOMPARE(store.search("\"oranges apples\"")->hits.size(), std::size_t{0});
    // Titles come first.
    QVERIFY(store.search("dunner")->hits.at(0).message == std::nullopt);
    SearchOptions within;
    within.chat = b;
    within.wholeText = true;
    QCOMPARE(store.search("ap", within)->hits.size(), std::size_t{1});
    within.chat = a;
    QCOMPARE(store.search("oranges", within)->hits.size(), std::size_t{0});
    CHAT_VERIFY(store.rename(a, "new name"));
    QCOMPARE(store.search("dunner")->hits.size(), std::size_t{0});
}

void TstChatStore::searchShowsPages() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const ChatId chat = newChat(store, "chat");
    for (int i = 0; i < 25; ++i)
        say(store, chat, "user", "word " + std::to_string(i));
    SearchOptions page;
    page.limit = 10;
    std::size_t seen = 0;
    bool more = true;
    while (more) {
        const auto found = store.search("word", page);
        CHAT_VERIFY(found);
        QVERIFY(!found->hits.empty());
        seen += found->hits.size();
        page.before = found->hits.back().message;
        more = found->more;
    }
    QCOMPARE(seen, std::size_t{25});
}

void TstChatStore::searchTakesAnyText() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    const ChatId chat = newChat(store, "chat");
    say(store, chat, "user", "don't NOT near(a b) c++ \"quoted\" 100% *");
    for (const char* words :
         {"don't", "NOT", "near(a", "c++", "\"quoted", "100%", "\"don't NOT\"", "a AND b OR c", "{x}: y^2",
          "*", "\"", "\"\"", "(((", "-", "\xFF\xFE", "rowid:1", "text : a"})
        CHAT_VERIFY(store.search(words));
    QCOMPARE(store.search("don't")->hits.size(), std::size_t{1});
    QCOMPARE(store.search("NOT")->hits.size(), std::size_t{1});
    QCOMPARE(store.search("   ")->hits.size(), std::size_t{0});
    std::string endless;
    for (int i = 0; i < 5000; ++i)
        endless += "word" + std::to_string(i) + " ";
    CHAT_VERIFY(store.search(endless));
    CHAT_VERIFY(store.search(std::string(1 << 20, 'x')));
}

void TstChatStore::twoStoresShareAFile() {
    StoreHarness harness;
    auto first = harness.open();
    auto second = harness.open();
    CHAT_VERIFY(first);
    CHAT_VERIFY(second);
    const ChatId chat = newChat(**first, "shared");
    say(**first, chat, "user", "from one");
    say(**second, chat, "assistant", "from two");
    QCOMPARE(shownOf(**first, chat), std::string("user:from one assistant:from two"));
}

void TstChatStore::newerSchemaIsOnlyRead() {
    StoreHarness harness;
    {
        auto opened = harness.open();
        CHAT_VERIFY(opened);
        say(**opened, newChat(**opened, "kept"), "user", "text");
        CHAT_VERIFY((*opened)->database().execute("PRAGMA user_version = 99"));
    }
    const std::string before = StoreHarness::bytesOf(harness.path());
    {
        auto opened = harness.open();
        CHAT_VERIFY(opened);
        QVERIFY((*opened)->readOnly());
        QCOMPARE(titles(**opened), std::string("kept"));
        QCOMPARE((*opened)->search("text")->hits.size(), std::size_t{1});
        QCOMPARE((*opened)->rename(1, "x").error().code(), Errc::D302);
        QCOMPARE((*opened)->append(1, said("user", "x")).error().code(), Errc::D302);
        QCOMPARE((*opened)->undo().error().code(), Errc::D302);
    }
    QVERIFY(StoreHarness::bytesOf(harness.path()) == before);
}

void TstChatStore::pragmasHold() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    Database& database = (*opened)->database();
    QCOMPARE(*database.number("PRAGMA synchronous"), std::optional<std::int64_t>(2));
    QCOMPARE(*database.number("PRAGMA foreign_keys"), std::optional<std::int64_t>(1));
    QCOMPARE(*database.number("PRAGMA busy_timeout"), std::optional<std::int64_t>(5000));
    QCOMPARE(*database.number("PRAGMA application_id"), std::optional<std::int64_t>(0x47474C43));
    auto mode = database.prepare("PRAGMA journal_mode");
    CHAT_VERIFY(mode);
    QVERIFY(*mode->step());
    QCOMPARE(mode->text(0), std::string("wal"));
}

QTEST_GUILESS_MAIN(TstChatStore)
#include "tst_chat_store.moc"
