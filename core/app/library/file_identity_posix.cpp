// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifndef _WIN32

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/app/library/file_identity.h"

namespace loader::app {
namespace {

std::int64_t nanosecondsOf(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileIdentity identityOf(const struct stat& facts) {
    FileIdentity identity;
    if (S_ISREG(facts.st_mode)) identity.kind = FileIdentity::Kind::File;
    if (S_ISDIR(facts.st_mode)) identity.kind = FileIdentity::Kind::Folder;
    identity.bytes = static_cast<std::uint64_t>(facts.st_size);
#ifdef __APPLE__
    identity.modified = nanosecondsOf(facts.st_mtimespec);
    identity.changed = nanosecondsOf(facts.st_ctimespec);
#else
    identity.modified = nanosecondsOf(facts.st_mtim);
    identity.changed = nanosecondsOf(facts.st_ctim);
#endif
    identity.device = static_cast<std::uint64_t>(facts.st_dev);
    identity.inode = static_cast<std::uint64_t>(facts.st_ino);
    return identity;
}

}  // namespace

Result<FileIdentity> identify(const std::string& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0) return identityOf(facts);
    if (errno == ENOENT || errno == ENOTDIR) return Error(Errc::F802, {}, path);
    if (errno == EACCES || errno == EPERM) return Error(Errc::F804, {}, path);
    return Error(Errc::F805, {std::strerror(errno)}, path);
}

bool beginsAsModel(const std::string& path) {
    // A pipe would wait for its writer, and a terminal would become ours.
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) return false;
    struct stat facts {};
    char magic[4] = {};
    const bool regular = ::fstat(file, &facts) == 0 && S_ISREG(facts.st_mode);
    const bool read = regular && ::pread(file, magic, sizeof magic, 0) == sizeof magic;
    ::close(file);
    return read && std::memcmp(magic, "GGUF", sizeof magic) == 0;
}

}  // namespace loader::app

#endif
