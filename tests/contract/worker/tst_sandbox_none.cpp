// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Systems without a sandbox: it says so, and strict refuses.

#include <QTest>

#include "core/worker/sandbox.h"

class TestSandboxNone : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void saysThatNothingIsEnforced() {
        const loader::worker::SandboxOptions options;
        QVERIFY(loader::worker::prepareProcess(options).ok());
        const auto report = loader::worker::enterSandbox(options);
        QVERIFY(report.ok());
        QVERIFY(!report->seccomp && report->landlockAbi == 0);
        QVERIFY(!report->network && !report->files && !report->exec && !report->newCode);
        QCOMPARE(report->notes.size(), std::size_t{1});
        QVERIFY(QByteArray(report->notes.front().c_str()).contains("not enforced on this system"));
    }

    void strictRefuses() {
        loader::worker::SandboxOptions options;
        options.strict = true;
        const auto report = loader::worker::enterSandbox(options);
        QVERIFY(!report.ok());
        QCOMPARE(report.error().code(), loader::Errc::W620);
    }
};

QTEST_GUILESS_MAIN(TestSandboxNone)
#include "tst_sandbox_none.moc"
