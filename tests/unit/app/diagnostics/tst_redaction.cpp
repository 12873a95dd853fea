// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a support report must not tell is gone, and what a helper needs is still there.

#include <QTest>

#include "core/app/diagnostics/redaction.h"

using namespace loader;
using app::Identity;
using app::Redactor;
using Json = nlohmann::ordered_json;

namespace {

Redactor redactor() {
    Identity identity;
    identity.homes = {"/home/jana", "/data/people/jana/"};
    identity.userNames = {"jana", "Jana Nováková"};
    identity.hostName = "kitchen-pc.example.org";
    return Redactor(identity);
}

}  // namespace

class TestRedaction : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void texts_data();
    void texts();
    void documents();
    void identities();
    void oddIdentities();
    void depthIsLimited();
};

void TestRedaction::texts_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* name, const char* text, const char* expected) {
        QTest::newRow(name) << QString::fromUtf8(text) << QString::fromUtf8(expected);
    };
    // Who it is.
    row("home", "/home/jana/models/a.gguf", "~/models/a.gguf");
    row("home alone", "/home/jana", "~");
    row("home twice", "/home/jana:/home/jana/x", "~:~/x");
    row("real home", "/data/people/jana/x", "~/x");
    row("another home begins alike", "/home/janaina/x", "/home/<user>/x");
    row("home of somebody else", "/home/peter/x and /Users/eva/y", "/home/<user>/x and /Users/<user>/y");
    row("Windows home", "C:\\Users\\Peter\\x", "C:\\Users\\<user>\\x");
    row("user in a path", "/media/jana/DISK", "/media/<user>/DISK");
    row("user in any case", "Jana wrote, JANA read", "<user> wrote, <user> read");
    row("full name", "by Jana Nováková.", "by <user>.");
    row("part of a word stays", "janae and mojana", "janae and mojana");
    row("host", "kitchen-pc:22 kitchen-pc.example.org", "<host>:22 <host>");
    row("mail", "write to jana.n@example.org now", "write to <mail> now");
    row("at sign stays", "a @ b, x@ y, user@machine", "a @ b, x@ y, user@machine");
    // Secrets.
    row("field", "HF_TOKEN=abc", "HF_TOKEN=<secret>");
    row("field with colon", "api_key: abc def", "api_key: <secret> def");
    row("JSON inside of a text", "{\"password\": \"a b\", \"x\": 1}", "{\"password\": <secret>, \"x\": 1}");
    row("query", "https://a.example/x?access_token=abc&b=1", "https://a.example/x?access_token=<secret>&b=1");
    row("header", "Authorization: Bearer abc.def", "Authorization: Bearer <secret>");
    row("scheme alone", "Bearer abcdefghijklmnop", "Bearer <secret>");
    row("password in an address", "https://u:pw@a.example/x", "https://<secret>@a.example/x");
    row("known beginning", "hf_AbCdEfGhIjKl", "<secret>");
    row("another known beginning", "key sk-proj-abcdefgh1234", "key <secret>");
    row("web token", "eyJhbGciOiJI.eyJzdWIiOiIx", "<secret>.<secret>");
    row("long mixed word", "x 4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c y", "x <secret> y");
    row("secret with the name in it", "token=jana-1234", "token=<secret>");
    // What helps stays.
    row("model", "Some-Model-2.5-0.5B-Instruct-Q4_K_M.gguf", "Some-Model-2.5-0.5B-Instruct-Q4_K_M.gguf");
    row("device", "12345678-1234-5678-9abc-def012345678", "12345678-1234-5678-9abc-def012345678");
    row("kernel", "6.1.0-13-amd64", "6.1.0-13-amd64");
    row("tokens", "tokens_per_second: 12.5, max-tokens=40", "tokens_per_second: 12.5, max-tokens=40");
    row("prose", "a test token came out", "a test token came out");
    row("processor", "AMD EPYC 9B14 96-Core Processor", "AMD EPYC 9B14 96-Core Processor");
    row("sizes", "4294967296 bytes of 123456789012345678901234567890",
        "4294967296 bytes of 123456789012345678901234567890");
    row("empty", "", "");
}

void TestRedaction::texts() {
    QFETCH(const QString, text);
    QFETCH(const QString, expected);
    const std::string once = redactor().redacted(text.toStdString());
    QCOMPARE(QString::fromStdString(once), expected);
    // Nothing more comes of doing it again.
    QCOMPARE(QString::fromStdString(redactor().redacted(once)), expected);
}

void TestRedaction::documents() {
    const Json document = {{"path", "/home/jana/x"},
                           {"api_key", "short"},
                           {"secrets", {"a", "b"}},
                           {"prompt_tokens", 12},
                           {"token", 7},
                           {"list", {"kitchen-pc", 1, nullptr, true}},
                           {"deep", {{"password", ""}, {"host", "kitchen-pc"}}}};
    const Json expected = {{"path", "~/x"},
                           {"api_key", "<secret>"},
                           {"secrets", "<secret>"},
                           {"prompt_tokens", 12},
                           {"token", 7},
                           {"list", {"<host>", 1, nullptr, true}},
                           {"deep", {{"password", ""}, {"host", "<host>"}}}};
    QCOMPARE(QString::fromStdString(redactor().redactedJson(document).dump()),
             QString::fromStdString(expected.dump()));
}

void TestRedaction::identities() {
    const Identity identity = app::readIdentity("/somewhere/of-mine", "somebody-of-mine");
    QVERIFY(!identity.homes.empty());
    QCOMPARE(identity.homes.front(), std::string("/somewhere/of-mine"));
    QCOMPARE(identity.userNames.front(), std::string("somebody-of-mine"));
    const Redactor own(identity);
    QCOMPARE(own.redacted("/somewhere/of-mine/x somebody-of-mine"), std::string("~/x <user>"));
    if (identity.hostName.size() > 1 && identity.hostName != "localhost")
        QCOMPARE(own.redacted("[" + identity.hostName + "]"), std::string("[<host>]"));
}

/// Of a container: the home is the root, names are short or everybody's.
void TestRedaction::oddIdentities() {
    Identity identity;
    identity.homes = {"/", "", "/root"};
    identity.userNames = {"", "x"};
    identity.hostName = "localhost";
    const Redactor odd(identity);
    QCOMPARE(odd.redacted("/usr/lib/x on localhost, /root/models"),
             std::string("/usr/lib/x on localhost, ~/models"));
}

void TestRedaction::depthIsLimited() {
    Json deep = "/home/jana";
    for (int i = 0; i < 100; ++i)
        deep = Json{{"a", deep}};
    const std::string text = redactor().redactedJson(deep).dump();
    QVERIFY(text.find("jana") == std::string::npos);
}

QTEST_GUILESS_MAIN(TestRedaction)
#include "tst_redaction.moc"
