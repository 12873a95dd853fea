// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/storage/system_files.h"
#include "core/app/storage/utf8_path.h"

#include <QLockFile>
#include <QString>
#include <algorithm>
#include <thread>

namespace loader::app {
namespace {

/// As many as Linux follows.
constexpr int kMostLinks = 40;

class SystemLock final : public HeldLock {
public:
    explicit SystemLock(const std::string& path) : m_file(QString::fromStdString(path)) {
        // A lock is stale when its process is gone, however long it is held.
        m_file.setStaleLockTime(0);
    }
    QLockFile& file() { return m_file; }

private:
    QLockFile m_file;
};

std::string holderOf(const QLockFile& file) {
    qint64 process = 0;
    QString host;
    QString program;
    if (!file.getLockInfo(&process, &host, &program)) return "a lock file that is not ours to remove";
    std::string words = "process " + std::to_string(process);
    if (!program.isEmpty()) words += ", " + program.toStdString();
    return words;
}

}  // namespace

FileKind kindOf(std::filesystem::file_type type) {
    switch (type) {
        case std::filesystem::file_type::none:
        case std::filesystem::file_type::not_found: return FileKind::Missing;
        case std::filesystem::file_type::regular: return FileKind::Regular;
        case std::filesystem::file_type::directory: return FileKind::Folder;
        case std::filesystem::file_type::symlink: return FileKind::Link;
        default: return FileKind::Other;
    }
}

Error readingFailed(const std::error_code& fault, const std::string& path) {
    if (fault == std::errc::no_such_file_or_directory || fault == std::errc::not_a_directory)
        return Error(Errc::F802, {}, path);
    if (fault == std::errc::permission_denied || fault == std::errc::operation_not_permitted)
        return Error(Errc::F804, {}, path);
    return Error(Errc::F805, {fault.message()}, path);
}

Error writingFailed(const std::error_code& fault, const std::string& path) {
    return Error(Errc::F806, {fault.message()}, path);
}

Result<std::string> CommonFiles::target(const std::string& path) {
    std::filesystem::path here = utf8Path(path);
    for (int links = 0; links < kMostLinks; ++links) {
        std::error_code fault;
        const auto status = std::filesystem::symlink_status(here, fault);
        if (status.type() != std::filesystem::file_type::symlink) return nativeText(here);
        const std::filesystem::path leads = std::filesystem::read_symlink(here, fault);
        if (fault) return readingFailed(fault, path);
        here = leads.is_absolute() ? leads : here.parent_path() / leads;
    }
    return Error(Errc::F805, {"its links lead in a circle"}, path);
}

Result<std::vector<FolderEntry>> CommonFiles::list(const std::string& folder) {
    std::error_code fault;
    std::filesystem::directory_iterator at(utf8Path(folder), fault);
    if (fault) return readingFailed(fault, folder);
    std::vector<FolderEntry> entries;
    while (at != std::filesystem::directory_iterator()) {
        // A file that went away meanwhile is missing, which is the truth.
        std::error_code gone;
        entries.push_back({nativeText(at->path().filename()), kindOf(at->symlink_status(gone).type())});
        at.increment(fault);
        if (fault) return readingFailed(fault, folder);
    }
    std::sort(entries.begin(), entries.end(),
              [](const FolderEntry& a, const FolderEntry& b) { return a.name < b.name; });
    return entries;
}

Result<std::string> CommonFiles::read(const std::string& path, std::size_t most) {
    return readSmallFile(path, most);
}

Result<std::unique_ptr<HeldLock>> CommonFiles::lock(const std::string& path,
                                                    std::chrono::milliseconds patience) {
    auto lock = std::make_unique<SystemLock>(path);
    if (lock->file().tryLock(static_cast<int>(patience.count())))
        return std::unique_ptr<HeldLock>(std::move(lock));
    if (lock->file().error() == QLockFile::LockFailedError)
        return Error(Errc::C506, {holderOf(lock->file())}, path);
    return Error(Errc::F806, {"no lock can be made there"}, path);
}

void CommonFiles::pause(std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
}

}  // namespace loader::app
