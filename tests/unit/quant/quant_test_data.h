// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the tests of this folder share with tests/support/make_quant_goldens.py: a random source and a
// checksum.
#pragma once

#include <QByteArray>
#include <QList>
#include <QString>
#include <QStringList>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/support/shared_data.h"

namespace loader::test {

/// splitmix64, eight bytes a step, lowest first.
inline std::vector<std::byte> randomBytes(std::uint64_t state, std::size_t count) {
    std::vector<std::byte> out;
    while (out.size() < count) {
        state += 0x9E3779B97F4A7C15u;
        std::uint64_t word = state;
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
        word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
        word ^= word >> 31;
        for (int i = 0; i < 8 && out.size() < count; ++i)
            out.push_back(static_cast<std::byte>(word >> (8 * i)));
    }
    return out;
}

/// FNV-1a of 64 bits, as 16 hexadecimal digits.
inline QString checksum(const void* data, std::size_t bytes) {
    std::uint64_t value = 0xCBF29CE484222325u;
    for (std::size_t i = 0; i < bytes; ++i)
        value = (value ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001B3u;
    return QString::number(value, 16).rightJustified(16, '0');
}

/// The lines of a file of this repository, split at spaces, without comments.
inline QList<QStringList> goldenLines(const QString& path) {
    QList<QStringList> lines;
    for (const QByteArray& line : readAll(sourceFile(path)).split('\n')) {
        if (!line.isEmpty() && !line.startsWith('#')) lines.append(QString::fromUtf8(line).split(' '));
    }
    return lines;
}

}  // namespace loader::test
