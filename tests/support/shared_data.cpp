// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/shared_data.h"

#include <QFile>
#include <QFileInfo>

namespace loader::test {

QString sourceFile(const QString& relativePath) {
    return qEnvironmentVariable("LOADER_SOURCE_DIR", QStringLiteral(".")) + QLatin1Char('/') + relativePath;
}

QString sharedFile(const QString& relativePath) {
    const QString root = qEnvironmentVariable("LOADER_SHARED_DIR", sourceFile(QStringLiteral("../shared")));
    const QString path = root + QLatin1Char('/') + relativePath;
    return QFileInfo::exists(path) ? path : QString();
}

QByteArray readAll(const QString& path) {
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly)) qFatal("cannot read %s", qPrintable(path));
    return file.readAll();
}

}  // namespace loader::test
