// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/storage/file_steps.h"

#include <QCryptographicHash>
#include <algorithm>
#include <utility>

namespace loader::app {
namespace {

/// Left-overs of a crash may hold the first names.
constexpr int kNameAttempts = 100;
/// Together a second and a half: longer than a virus scanner takes.
constexpr int kRenameAttempts = 10;
constexpr auto kRenamePause = std::chrono::milliseconds(25);
constexpr std::string_view kPart = ".part";

bool isSeparator(char character) {
#ifdef _WIN32
    return character == '/' || character == '\\';
#else
    return character == '/';
#endif
}

std::size_t lastSeparator(std::string_view path) {
    for (std::size_t at = path.size(); at-- > 0;)
        if (isSeparator(path[at])) return at;
    return std::string_view::npos;
}

struct Temporary {
    std::string path;
    std::unique_ptr<NewFile> file;
};

Result<Temporary> createBeside(FileOperations& files, const std::string& path, std::uint32_t mode) {
    for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
        Temporary temporary{path + std::string(kPart) + std::to_string(attempt), nullptr};
        auto created = files.create(temporary.path, mode);
        if (!created) return std::move(created).error();
        temporary.file = std::move(*created);
        if (temporary.file) return temporary;
    }
    return Error(Errc::F806, {"too many unfinished files beside it"}, path);
}

/// "config.json.part0", and "config.json.broken.part12" of files that are named after it.
bool isPartOf(std::string_view name, std::string_view file) {
    const std::size_t mark = name.rfind(kPart);
    if (!name.starts_with(file) || mark == std::string_view::npos || mark < file.size()) return false;
    if (mark != file.size() && name[file.size()] != '.') return false;
    const std::string_view number = name.substr(mark + kPart.size());
    return (number.size() == 1 || number.size() == 2) &&
           std::all_of(number.begin(), number.end(), [](char digit) { return digit >= '0' && digit <= '9'; });
}

Status removePartsOf(FileOperations& files, const std::string& path) {
    const std::string folder = folderOf(path);
    LOADER_TRY(const auto entries, files.list(folder));
    for (const FolderEntry& entry : entries) {
        if (entry.kind == FileKind::Regular && isPartOf(entry.name, fileNameOf(path)))
            LOADER_CHECK(files.remove(joined(folder, entry.name)));
    }
    return {};
}

Status writeAndRename(FileOperations& files, Temporary& temporary, const std::string& target,
                      std::string_view bytes) {
    LOADER_CHECK(temporary.file->append(bytes));
    LOADER_CHECK(temporary.file->sync());
    LOADER_CHECK(temporary.file->close());
    temporary.file.reset();
    LOADER_CHECK(renamePatiently(files, temporary.path, target));
    return files.syncFolder(folderOf(target));
}

}  // namespace

std::string folderOf(std::string_view path) {
    const std::size_t at = lastSeparator(path);
    if (at == std::string_view::npos) return ".";
    // The root keeps its separator; so does that of a drive.
    const bool root = at == 0 || path[at - 1] == ':';
    return std::string(path.substr(0, root ? at + 1 : at));
}

std::string fileNameOf(std::string_view path) {
    const std::size_t at = lastSeparator(path);
    return std::string(at == std::string_view::npos ? path : path.substr(at + 1));
}

std::string joined(std::string_view folder, std::string_view name) {
    std::string path(folder);
    if (!path.empty() && !isSeparator(path.back())) path += '/';
    return path.append(name);
}

Status renamePatiently(FileOperations& files, const std::string& from, const std::string& to) {
    for (int attempt = 1; attempt <= kRenameAttempts; ++attempt) {
        LOADER_TRY(const bool renamed, files.rename(from, to));
        if (renamed) return {};
        files.pause(kRenamePause * attempt);
    }
    return Error(Errc::F806, {"another program holds it"}, to);
}

Status replaceFile(FileOperations& files, const std::string& path, std::string_view bytes, std::uint32_t mode,
                   bool force) {
    LOADER_TRY(const std::string target, files.target(path));
    LOADER_TRY(const FileFacts present, files.facts(target));
    if (present.kind != FileKind::Missing && present.kind != FileKind::Regular)
        return Error(Errc::F806, {"it is no regular file"}, path);
    const bool keep = !force && present.kind == FileKind::Regular && present.mode != 0;
    auto temporary = createBeside(files, target, keep ? present.mode & 0777 : mode);
    if (!temporary) return std::move(temporary).error();
    Status written = writeAndRename(files, *temporary, target, bytes);
    if (written.ok()) return written;
    temporary->file.reset();
    ignoreErrorBecause("the failure above is what counts; who holds the lock next removes it",
                       files.remove(temporary->path));
    return written;
}

Status removeLeftovers(FileOperations& files, const std::string& path) {
    LOADER_TRY(const std::string target, files.target(path));
    LOADER_CHECK(removePartsOf(files, target));
    return target == path ? Status() : removePartsOf(files, path);
}

Status makeFolders(FileOperations& files, const std::string& folder) {
    std::vector<std::string> missing;
    std::string here = folder;
    while (true) {
        LOADER_TRY(const FileFacts facts, files.facts(here));
        if (facts.kind != FileKind::Missing) break;
        missing.push_back(here);
        const std::string above = folderOf(here);
        if (above == here) break;
        here = above;
    }
    for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
        LOADER_CHECK(files.makeFolder(*at));
        LOADER_CHECK(files.syncFolder(folderOf(*at)));
    }
    return {};
}

Result<std::string> copyFile(FileOperations& files, const std::string& from, const std::string& to,
                             std::uint32_t mask) {
    LOADER_TRY(const std::string source, files.target(from));
    LOADER_TRY(const FileFacts facts, files.facts(source));
    LOADER_TRY(const FileFacts there, files.facts(to));
    if (there.kind != FileKind::Missing) return Error(Errc::F806, {"something of that name is there"}, to);
    const std::uint32_t mode = facts.mode != 0 ? facts.mode & mask & 0777 : kPrivateMode;
    auto temporary = createBeside(files, to, mode);
    if (!temporary) return std::move(temporary).error();
    QCryptographicHash hash(QCryptographicHash::Sha256);
    Status copied = files.readPieces(source, [&](std::string_view piece) {
        hash.addData({piece.data(), static_cast<qsizetype>(piece.size())});
        return temporary->file->append(piece);
    });
    if (copied.ok()) copied = writeAndRename(files, *temporary, to, {});
    if (copied.ok()) return hash.result().toHex().toStdString();
    temporary->file.reset();
    ignoreErrorBecause("the failure above is what counts", files.remove(temporary->path));
    return std::move(copied).error();
}

Result<std::string> sha256OfFile(FileOperations& files, const std::string& path) {
    QCryptographicHash hash(QCryptographicHash::Sha256);
    LOADER_CHECK(files.readPieces(path, [&hash](std::string_view piece) {
        hash.addData({piece.data(), static_cast<qsizetype>(piece.size())});
        return Status();
    }));
    return hash.result().toHex().toStdString();
}

std::string sha256Of(std::string_view bytes) {
    QCryptographicHash hash(QCryptographicHash::Sha256);
    hash.addData({bytes.data(), static_cast<qsizetype>(bytes.size())});
    return hash.result().toHex().toStdString();
}

}  // namespace loader::app
