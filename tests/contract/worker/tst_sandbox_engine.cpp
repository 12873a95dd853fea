// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q5: a model computes the same bits with and without the sandbox: loaded before and computed inside, and
// read, loaded and computed inside from a descriptor alone.

#include <fcntl.h>
#include <unistd.h>

#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "tests/contract/worker/probe_process.h"
#include "tests/support/shared_data.h"
#include "tests/support/tiny_model.h"

using namespace loader::test;

class TestSandboxEngine : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;

    static QByteArray byPath(const QString& profile, const QString& path) {
        return runProbe({{QStringLiteral("--profile"), profile, QStringLiteral("compute-by-path"), path}})
            .output;
    }

    static QByteArray byDescriptor(const QString& profile, const QString& path) {
        const int file = ::open(path.toLocal8Bit().constData(), O_RDONLY | O_CLOEXEC);
        ProbeStart start;
        start.descriptor = file;
        start.arguments = {QStringLiteral("--profile"), profile, QStringLiteral("--keep"),
                           QString::number(kPassedDescriptor), QStringLiteral("compute-by-descriptor")};
        const QByteArray output = runProbe(start).output;
        ::close(file);
        return output;
    }

    static void compare(const QString& path) {
        const QByteArray plain = byPath(QStringLiteral("none"), path);
        QVERIFY2(!plain.startsWith("failed"), plain.left(300).constData());
        // 20 rows of logits of a vocabulary that has some hundred words at least.
        QVERIFY2(plain.size() > 20 * 100 * 4, plain.left(300).constData());
        float first = NAN;
        std::memcpy(&first, plain.constData(), sizeof first);
        QVERIFY(std::isfinite(first));
        for (const char* profile : {"cpu", "gpu"}) {
            const QByteArray acrossIt = byPath(QLatin1String(profile), path);
            QVERIFY2(acrossIt == plain, acrossIt.left(300).constData());
            const QByteArray inside = byDescriptor(QLatin1String(profile), path);
            QVERIFY2(inside == plain, inside.left(300).constData());
        }
    }

private Q_SLOTS:
    void sameBits_data() {
        QTest::addColumn<QString>("architecture");
        QTest::addColumn<int>("experts");
        QTest::addColumn<int>("type");
        using loader::quant::TensorType;
        const auto row = [](const char* name, const char* architecture, int experts, TensorType type) {
            QTest::newRow(name) << QString::fromLatin1(architecture) << experts << static_cast<int>(type);
        };
        row("llama", "llama", 0, TensorType::Q4_0);
        row("mixture", "llama", 4, TensorType::Q8_0);
        row("qwen2", "qwen2", 0, TensorType::Q8_0);
        row("qwen3", "qwen3", 0, TensorType::F16);
        row("gpt2", "gpt2", 0, TensorType::F32);
    }

    void sameBits() {
        QFETCH(QString, architecture);
        QFETCH(int, experts);
        QFETCH(int, type);
        TinyModelOptions options;
        options.architecture = architecture.toStdString();
        options.experts = static_cast<std::uint32_t>(experts);
        options.type = static_cast<loader::quant::TensorType>(type);
        const auto model = TinyModel::make(options);
        QVERIFY(model.ok());
        const QString path =
            m_folder.filePath(QLatin1String(QTest::currentDataTag()) + QStringLiteral(".gguf"));
        QVERIFY(model->write(path.toStdString()).ok());
        compare(path);
    }

    void realModel_data() {
        QTest::addColumn<QString>("file");
        for (const char* name : {"stories15M-Q4_0.gguf", "stories260K-Q8_0.gguf", "minimind2-small-Q8_0.gguf",
                                 "tiny-random-gpt2-F32.gguf"})
            QTest::newRow(name) << QStringLiteral("models/") + QLatin1String(name);
    }

    void realModel() {
        QFETCH(QString, file);
        const QString path = sharedFile(file);
        if (path.isEmpty()) QSKIP("optional data absent");
        compare(path);
    }
};

QTEST_GUILESS_MAIN(TestSandboxEngine)
#include "tst_sandbox_engine.moc"
