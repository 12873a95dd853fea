// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Finds optional test data that is not part of the repository (real models, vocabularies, templates).
#pragma once

#include <QByteArray>
#include <QString>

namespace loader::test {

/// Path of a file in the optional data folder (LOADER_SHARED_DIR, or ../shared beside the repository);
/// empty where the folder or the file is absent.
QString sharedFile(const QString& relativePath);

/// Path inside the repository.
QString sourceFile(const QString& relativePath);

/// Whole content; fails the test run where the file cannot be read.
QByteArray readAll(const QString& path);

}  // namespace loader::test

/// Skips the running test by name where the optional file is absent.
#define LOADER_NEED_SHARED(variable, relativePath)                   \
    const QString variable = loader::test::sharedFile(relativePath); \
    if (variable.isEmpty()) QSKIP("optional data absent: " relativePath)
