// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/hash_check.h"

#include <QCryptographicHash>
#include <algorithm>

#include "core/app/library/file_names.h"
#include "core/engine/base/mapped_file.h"

namespace loader::app {
namespace {

constexpr std::size_t kPiece = std::size_t{4} << 20;

}  // namespace

Result<std::string> sha256OfFile(const std::string& path, const HashProgress& progress, CancelToken cancel) {
    LOADER_TRY(const auto file, FileSource::open(path));
    QCryptographicHash hash(QCryptographicHash::Sha256);
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, file->size())));
    for (std::uint64_t at = 0; at < file->size();) {
        LOADER_CHECK(cancel.check());
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), file->size() - at));
        const std::span<std::byte> bytes(piece.data(), count);
        LOADER_CHECK(file->read(at, bytes));
        hash.addData(QByteArrayView(bytes.data(), static_cast<qsizetype>(count)));
        at += count;
        if (progress) progress(at, file->size());
    }
    LOADER_CHECK(file->checkUnchanged());
    return hash.result().toHex().toStdString();
}

Result<std::vector<HashOutcome>> verifyEntry(const LibraryEntry& entry, const std::string& expected,
                                             const HashProgress& progress, CancelToken cancel) {
    std::string promised = entry.sha256;
    if (!expected.empty()) {
        promised = sha256In(expected);
        if (promised.empty()) return Error(Errc::D305, {"SHA-256", "it has 64 hexadecimal digits"}, expected);
        if (entry.parts.size() != 1)
            return Error(Errc::D305, {"SHA-256", "the model has several files, each with its own"},
                         entry.path);
    }
    std::uint64_t before = 0;
    std::vector<HashOutcome> outcomes;
    for (const LibraryPart& part : entry.parts) {
        HashOutcome outcome{part.path, promised, {}, std::nullopt};
        const HashProgress whole = [&](std::uint64_t done, std::uint64_t) {
            if (progress) progress(before + done, std::max(entry.bytes, before + done));
        };
        auto actual = sha256OfFile(part.path, whole, cancel);
        if (actual.ok())
            outcome.actual = std::move(actual).value();
        else if (actual.error().code() == Errc::X002)
            return actual.error();
        else
            outcome.fault = std::move(actual).error();
        const bool differs = !outcome.actual.empty() && !promised.empty() && outcome.actual != promised;
        if (differs)
            outcome.fault = Error(
                Errc::D312, {"its SHA-256 is " + outcome.actual + " instead of " + promised}, part.path);
        before += part.bytes;
        outcomes.push_back(std::move(outcome));
    }
    return outcomes;
}

}  // namespace loader::app
