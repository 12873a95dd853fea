// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifndef _WIN32

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "core/app/storage/system_files.h"

namespace loader::app {
namespace {

constexpr mode_t kFolderMode = 0700;
constexpr std::uint32_t kPermissions = 07777;

std::error_code lastFault() {
    return {errno, std::generic_category()};
}

class PosixFile final : public NewFile {
public:
    PosixFile(std::string path, int descriptor) : m_path(std::move(path)), m_descriptor(descriptor) {}
    ~PosixFile() override {
        if (m_descriptor >= 0) ::close(m_descriptor);
    }
    PosixFile(const PosixFile&) = delete;
    PosixFile& operator=(const PosixFile&) = delete;

    Status append(std::string_view bytes) override {
        while (!bytes.empty()) {
            const ssize_t done = ::write(m_descriptor, bytes.data(), bytes.size());
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) return writingFailed(lastFault(), m_path);
            bytes.remove_prefix(static_cast<std::size_t>(done));
        }
        return {};
    }
    Status sync() override {
        if (::fsync(m_descriptor) != 0) return writingFailed(lastFault(), m_path);
        return {};
    }
    Status close() override {
        const int descriptor = m_descriptor;
        m_descriptor = -1;
        if (::close(descriptor) != 0 && errno != EINTR) return writingFailed(lastFault(), m_path);
        return {};
    }

private:
    std::string m_path;
    int m_descriptor;
};

FileKind kindOfMode(mode_t mode) {
    if (S_ISREG(mode)) return FileKind::Regular;
    if (S_ISDIR(mode)) return FileKind::Folder;
    return S_ISLNK(mode) ? FileKind::Link : FileKind::Other;
}

std::chrono::nanoseconds changeOf(const struct stat& facts) {
#ifdef __APPLE__
    const struct timespec& time = facts.st_mtimespec;
#else
    const struct timespec& time = facts.st_mtim;
#endif
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

class PosixFiles final : public CommonFiles {
public:
    Result<FileFacts> facts(const std::string& path) override {
        struct stat found {};
        if (::lstat(path.c_str(), &found) != 0) {
            if (errno == ENOENT || errno == ENOTDIR) return FileFacts{};
            return readingFailed(lastFault(), path);
        }
        FileFacts facts;
        facts.kind = kindOfMode(found.st_mode);
        facts.bytes = static_cast<std::uint64_t>(found.st_size);
        facts.mode = static_cast<std::uint32_t>(found.st_mode) & kPermissions;
        facts.modified = changeOf(found);
        return facts;
    }

    Status readPieces(const std::string& path, const std::function<Status(std::string_view)>& take) override {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (descriptor < 0) return readingFailed(lastFault(), path);
        Status done = readOpened(descriptor, path, take);
        ::close(descriptor);
        return done;
    }

    Result<std::unique_ptr<NewFile>> create(const std::string& path, std::uint32_t mode) override {
        const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor < 0) {
            if (errno == EEXIST) return std::unique_ptr<NewFile>();
            return writingFailed(lastFault(), path);
        }
        auto file = std::make_unique<PosixFile>(path, descriptor);
        // Not by open(): the umask would take bits away. File systems without modes refuse; 0600 is what we
        // have.
        const bool refused = ::fchmod(descriptor, static_cast<mode_t>(mode & 0777)) != 0;
        if (refused && errno != EPERM && errno != ENOTSUP) return writingFailed(lastFault(), path);
        return std::unique_ptr<NewFile>(std::move(file));
    }

    Result<bool> rename(const std::string& from, const std::string& to) override {
        if (std::rename(from.c_str(), to.c_str()) == 0) return true;
        if (errno == EBUSY) return false;
        return writingFailed(lastFault(), to);
    }

    Status remove(const std::string& path) override {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) return writingFailed(lastFault(), path);
        return {};
    }

    Status makeFolder(const std::string& path) override {
        if (::mkdir(path.c_str(), kFolderMode) == 0) return {};
        const std::error_code fault = lastFault();
        struct stat found {};
        const bool there = ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
        return there ? Status() : Status(writingFailed(fault, path));
    }

    Status removeFolder(const std::string& path) override {
        if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return writingFailed(lastFault(), path);
        return {};
    }

    Status syncFolder(const std::string& path) override {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0) return writingFailed(lastFault(), path);
        // Some file systems know no such thing as a folder that is written later.
        const bool synced = ::fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP;
        const std::error_code fault = lastFault();
        ::close(descriptor);
        return synced ? Status() : Status(writingFailed(fault, path));
    }

    Status setMode(const std::string& path, std::uint32_t mode) override {
        if (::chmod(path.c_str(), static_cast<mode_t>(mode & 0777)) != 0)
            return writingFailed(lastFault(), path);
        return {};
    }

private:
    static Status readOpened(int descriptor, const std::string& path,
                             const std::function<Status(std::string_view)>& take) {
        struct stat found {};
        if (::fstat(descriptor, &found) != 0) return readingFailed(lastFault(), path);
        if (S_ISDIR(found.st_mode)) return Error(Errc::C512, {"a folder"}, path);
        if (!S_ISREG(found.st_mode)) return Error(Errc::C512, {"a device or a pipe"}, path);
        std::array<char, 64 * 1024> piece{};
        while (true) {
            const ssize_t done = ::read(descriptor, piece.data(), piece.size());
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) return readingFailed(lastFault(), path);
            if (done == 0) return {};
            LOADER_CHECK(take({piece.data(), static_cast<std::size_t>(done)}));
        }
    }
};

}  // namespace

std::unique_ptr<FileOperations> systemFiles() {
    return std::make_unique<PosixFiles>();
}

}  // namespace loader::app

#endif
