// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/disk_facts.h"

#include <QStorageInfo>
#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

namespace loader::app {
namespace {

/// Files of these are behind a network or with the host of a virtual machine.
constexpr std::array<std::string_view, 19> kNetwork = {
    "9p",   "afs",    "beegfs", "ceph", "cifs", "coda",  "davfs", "gfs2",  "glusterfs", "gpfs",
    "gvfs", "lustre", "ncpfs",  "nfs",  "nfs4", "ocfs2", "smb3",  "smbfs", "webdav",
};
constexpr std::array<std::string_view, 10> kNetworkFuse = {
    "fuse.sshfs",  "fuse.rclone", "fuse.s3fs",    "fuse.glusterfs", "fuse.gvfsd-fuse",
    "fuse.davfs2", "fuse.ceph",   "fuse.juicefs", "fuse.gcsfuse",   "fuse.vmhgfs-fuse",
};

bool isNetwork(std::string_view type) {
    return std::find(kNetwork.begin(), kNetwork.end(), type) != kNetwork.end() ||
           std::find(kNetworkFuse.begin(), kNetworkFuse.end(), type) != kNetworkFuse.end();
}

/// Spaces and the like are written as \040.
std::string unescaped(std::string_view text) {
    const auto isOctal = [](char c) { return c >= '0' && c <= '7'; };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 3 < text.size() && isOctal(text[i + 1]) &&
                            isOctal(text[i + 2]) && isOctal(text[i + 3]);
        if (!escape) {
            out += text[i];
            continue;
        }
        const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
        out += static_cast<char>(value & 0xFF);
        i += 3;
    }
    return out;
}

std::vector<std::string_view> fieldsOf(std::string_view line) {
    std::vector<std::string_view> fields;
    while (!line.empty()) {
        const std::string_view field = line.substr(0, line.find(' '));
        if (!field.empty()) fields.push_back(field);
        line.remove_prefix(std::min(field.size() + 1, line.size()));
    }
    return fields;
}

struct Mount {
    std::string point;
    std::string device;  // "8:1"
    std::string type;
    std::string source;
    bool readOnly = false;
};

/// id parent device root point options [more…] - type source options
std::optional<Mount> mountOf(std::string_view line) {
    const std::vector<std::string_view> fields = fieldsOf(line);
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 3) return std::nullopt;
    const std::string_view options = fields[5];
    return Mount{unescaped(fields[4]), std::string(fields[2]), std::string(dash[1]), unescaped(dash[2]),
                 options == "ro" || options.starts_with("ro,")};
}

bool isBelow(std::string_view path, std::string_view folder) {
    if (folder == "/") return path.starts_with('/');
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

/// The device in /sys: by number, or by the name of its source where the number is the file system's own.
std::optional<std::string> deviceFolder(const SystemText& system, const Mount& mount) {
    if (!mount.device.starts_with("0:")) return system.resolved("/sys/dev/block/" + mount.device);
    if (!mount.source.starts_with("/dev/")) return std::nullopt;
    const std::string node = system.resolved(mount.source).value_or(mount.source);
    return system.resolved("/sys/class/block/" + node.substr(node.rfind('/') + 1));
}

void readDevice(const SystemText& system, const Mount& mount, DiskKind& kind) {
    const auto folder = deviceFolder(system, mount);
    if (!folder) return;
    // The disk of a virtual machine calls itself turning, whatever is below it.
    const bool tellsTruth =
        folder->find("/virtio") == std::string::npos && folder->find("/vbd-") == std::string::npos;
    // A partition lies below its disk, which has these files.
    const std::string parent = folder->substr(0, folder->rfind('/'));
    for (const std::string& place : {*folder, parent}) {
        if (system.number(place + "/removable") == std::uint64_t{1}) kind.removable = true;
        const auto rotates = system.number(place + "/queue/rotational");
        if (rotates && tellsTruth && !kind.rotational) kind.rotational = *rotates != 0;
    }
    // A disk at the end of a cable says that it is fixed.
    if (folder->find("/usb") != std::string::npos) kind.removable = true;
}

std::filesystem::path nearestExisting(const std::string& path) {
    std::error_code fault;
    std::filesystem::path place = std::filesystem::absolute(path, fault);
    while (!std::filesystem::exists(place, fault) && place.has_relative_path())
        place = place.parent_path();
    const std::filesystem::path real = std::filesystem::canonical(place, fault);
    return fault ? place : real;
}

}  // namespace

DiskKind diskKind(const std::string& path, const SystemText& system) {
    DiskKind kind;
    const std::string table = system.text("/proc/self/mountinfo", 1024 * 1024).value_or("");
    std::optional<Mount> best;
    std::string_view rest = table;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        auto mount = mountOf(line);
        // Of several at one place the last one covers the others.
        if (mount && isBelow(path, mount->point) && (!best || mount->point.size() >= best->point.size()))
            best = std::move(mount);
    }
    if (!best) return kind;
    kind.fileSystem = best->type;
    kind.mountPoint = best->point;
    kind.network = isNetwork(best->type);
    kind.readOnly = best->readOnly;
    readDevice(system, *best, kind);
    return kind;
}

Result<DiskFacts> readDiskFacts(const std::string& path, const SystemText& system) {
    const std::filesystem::path place = nearestExisting(path);
    std::error_code fault;
    const std::filesystem::space_info space = std::filesystem::space(place, fault);
    if (fault) return Error(Errc::F805, {fault.message()}, path);
    DiskFacts facts;
    facts.path = path;
    facts.totalBytes = space.capacity;
    facts.freeBytes = space.available;
    facts.kind = diskKind(place.string(), system);
    if (facts.kind.fileSystem.empty() && system.isThisSystem()) {
        const QStorageInfo storage(QString::fromStdString(place.string()));
        facts.kind.fileSystem = storage.fileSystemType().toStdString();
        facts.kind.mountPoint = storage.rootPath().toStdString();
        facts.kind.readOnly = storage.isReadOnly();
        facts.kind.network = isNetwork(facts.kind.fileSystem) || facts.kind.mountPoint.starts_with("//");
    }
    return facts;
}

}  // namespace loader::app
