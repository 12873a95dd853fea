// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/memory_files.h"

#include <algorithm>

#include "core/app/storage/file_steps.h"

namespace loader::test {

using app::FileKind;

namespace {

/// A sector: what a disk writes whole or not at all.
constexpr std::size_t kSector = 512;
constexpr int kMostLinks = 40;

Error failed(const char* why, const std::string& path) {
    return Error(Errc::F806, {why}, path);
}

}  // namespace

class MemoryNewFile final : public app::NewFile {
public:
    MemoryNewFile(MemoryFiles& files, std::shared_ptr<MemoryFiles::Node> node, std::string path)
        : m_files(files), m_node(std::move(node)), m_path(std::move(path)) {}

    Status append(std::string_view bytes) override {
        const std::uint64_t used = m_files.used();
        const std::uint64_t room = m_files.m_capacity > used ? m_files.m_capacity - used : 0;
        m_node->bytes.append(
            bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size()))));
        return room < bytes.size() ? Status(failed("No space left on device", m_path)) : Status();
    }
    Status sync() override {
        m_node->synced = m_node->bytes.size();
        return {};
    }
    Status close() override { return {}; }

private:
    MemoryFiles& m_files;
    std::shared_ptr<MemoryFiles::Node> m_node;
    std::string m_path;
};

class MemoryLock final : public app::HeldLock {
public:
    MemoryLock(std::shared_ptr<std::set<std::string>> locks, std::string path)
        : m_locks(std::move(locks)), m_path(std::move(path)) {}
    ~MemoryLock() override { m_locks->erase(m_path); }
    MemoryLock(const MemoryLock&) = delete;
    MemoryLock& operator=(const MemoryLock&) = delete;

private:
    std::shared_ptr<std::set<std::string>> m_locks;
    std::string m_path;
};

MemoryFiles::MemoryFiles() : m_locks(std::make_shared<std::set<std::string>>()) {
    putFolder("/");
}

void MemoryFiles::put(const std::string& path, std::string_view bytes, std::uint32_t mode) {
    if (!find(app::folderOf(path))) putFolder(app::folderOf(path));
    auto node = std::make_shared<Node>();
    node->bytes = bytes;
    node->synced = bytes.size();
    node->mode = mode;
    m_names[path] = m_onDisk[path] = node;
}

void MemoryFiles::putLink(const std::string& path, const std::string& target) {
    put(path, {});
    m_names[path]->kind = FileKind::Link;
    m_names[path]->link = target;
}

void MemoryFiles::putFolder(const std::string& path) {
    if (path != "/" && !find(app::folderOf(path))) putFolder(app::folderOf(path));
    auto node = std::make_shared<Node>();
    node->kind = FileKind::Folder;
    node->mode = 0700;
    m_names[path] = m_onDisk[path] = node;
}

void MemoryFiles::putPipe(const std::string& path) {
    put(path, {});
    m_names[path]->kind = FileKind::Other;
}

std::optional<std::string> MemoryFiles::get(const std::string& path) const {
    const NodePointer node = follow(path);
    if (!node || node->kind != FileKind::Regular) return std::nullopt;
    return node->bytes;
}

std::uint32_t MemoryFiles::modeOf(const std::string& path) const {
    const NodePointer node = follow(path);
    return node ? node->mode : 0;
}

std::vector<std::string> MemoryFiles::paths() const {
    std::vector<std::string> paths;
    for (const auto& [path, node] : m_names)
        if (node->kind != FileKind::Folder) paths.push_back(path);
    return paths;
}

void MemoryFiles::killProcess() {
    m_locks = std::make_shared<std::set<std::string>>();
}

void MemoryFiles::cutPower(std::mt19937& random) {
    killProcess();
    std::shuffle(m_changes.begin(), m_changes.end(), random);
    for (const Change& change : m_changes)
        if (random() % 2 == 0) apply(change, m_onDisk);
    m_changes.clear();
    for (auto& [path, node] : m_onDisk) {
        if (node->synced >= node->bytes.size()) continue;
        // Sectors arrive in any order; those that did not are what the file system calls empty.
        const std::size_t unsynced = node->bytes.size() - node->synced;
        node->bytes.resize(node->synced + random() % (unsynced + 1));
        for (std::size_t at = node->synced; at < node->bytes.size(); ++at) {
            const bool newSector = at == node->synced || at % kSector == 0;
            if (!newSector || random() % 2 == 0) continue;
            const std::size_t end = std::min(node->bytes.size(), (at / kSector + 1) * kSector);
            std::fill(node->bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      node->bytes.begin() + static_cast<std::ptrdiff_t>(end), '\0');
        }
        node->synced = node->bytes.size();
    }
    m_names = m_onDisk;
}

MemoryFiles::NodePointer MemoryFiles::find(const std::string& path) const {
    const auto found = m_names.find(path);
    return found == m_names.end() ? nullptr : found->second;
}

MemoryFiles::NodePointer MemoryFiles::follow(const std::string& path) const {
    std::string here = path;
    for (int links = 0; links < kMostLinks; ++links) {
        const NodePointer node = find(here);
        if (!node || node->kind != FileKind::Link) return node;
        here = node->link.starts_with("/") ? node->link : app::joined(app::folderOf(here), node->link);
    }
    return nullptr;
}

Status MemoryFiles::writable(const std::string& path) const {
    const std::string folder = app::folderOf(path);
    const NodePointer node = find(folder);
    if (!node || node->kind != FileKind::Folder) return failed("No such file or directory", path);
    if (m_readOnly.count(folder) != 0) return failed("Permission denied", path);
    return {};
}

void MemoryFiles::note(Change change) {
    apply(change, m_names);
    m_changes.push_back(std::move(change));
}

void MemoryFiles::apply(const Change& change, Names& names) {
    const auto old = names.find(change.left);
    if (!change.left.empty() && old != names.end() && old->second == change.node) names.erase(old);
    if (change.node)
        names[change.path] = change.node;
    else
        names.erase(change.path);
}

std::uint64_t MemoryFiles::used() const {
    std::uint64_t bytes = 0;
    for (const auto& [path, node] : m_names)
        bytes += node->bytes.size();
    return bytes;
}

Result<app::FileFacts> MemoryFiles::facts(const std::string& path) {
    const NodePointer node = find(path);
    app::FileFacts facts;
    if (!node) return facts;
    facts.kind = node->kind;
    facts.bytes = node->bytes.size();
    facts.mode = node->mode;
    return facts;
}

Result<std::string> MemoryFiles::target(const std::string& path) {
    std::string here = path;
    for (int links = 0; links < kMostLinks; ++links) {
        const NodePointer node = find(here);
        if (!node || node->kind != FileKind::Link) return here;
        here = node->link.starts_with("/") ? node->link : app::joined(app::folderOf(here), node->link);
    }
    return Error(Errc::F805, {"its links lead in a circle"}, path);
}

Result<std::vector<app::FolderEntry>> MemoryFiles::list(const std::string& folder) {
    const NodePointer node = follow(folder);
    if (!node || node->kind != FileKind::Folder) return Error(Errc::F802, {}, folder);
    std::vector<app::FolderEntry> entries;
    for (const auto& [path, entry] : m_names)
        if (path != "/" && app::folderOf(path) == folder)
            entries.push_back({app::fileNameOf(path), entry->kind});
    return entries;
}

Result<std::string> MemoryFiles::read(const std::string& path, std::size_t most) {
    LOADER_TRY(const std::string end, target(path));
    const NodePointer node = find(end);
    if (!node) return Error(Errc::F802, {}, path);
    if (node->kind == FileKind::Folder) return Error(Errc::C512, {"a folder"}, path);
    if (node->kind != FileKind::Regular) return Error(Errc::C512, {"a device or a pipe"}, path);
    if ((node->mode & 0400) == 0) return Error(Errc::F804, {}, path);
    if (node->bytes.size() > most)
        return Error(Errc::C502, {std::to_string(node->bytes.size()), std::to_string(most)}, path);
    return node->bytes;
}

Status MemoryFiles::readPieces(const std::string& path, const std::function<Status(std::string_view)>& take) {
    LOADER_TRY(const std::string bytes, read(path, ~std::size_t{0}));
    for (std::size_t at = 0; at < bytes.size(); at += kSector)
        LOADER_CHECK(take(std::string_view(bytes).substr(at, kSector)));
    return {};
}

Result<std::unique_ptr<app::NewFile>> MemoryFiles::create(const std::string& path, std::uint32_t mode) {
    LOADER_CHECK(writable(path));
    if (find(path)) return std::unique_ptr<app::NewFile>();
    auto node = std::make_shared<Node>();
    node->mode = mode;
    note({path, node, {}});
    return std::unique_ptr<app::NewFile>(std::make_unique<MemoryNewFile>(*this, node, path));
}

Result<bool> MemoryFiles::rename(const std::string& from, const std::string& to) {
    LOADER_CHECK(writable(from));
    LOADER_CHECK(writable(to));
    const NodePointer node = find(from);
    if (!node) return failed("No such file or directory", from);
    note({to, node, from});
    return true;
}

Status MemoryFiles::remove(const std::string& path) {
    LOADER_CHECK(writable(path));
    if (find(path)) note({path, nullptr, {}});
    return {};
}

Status MemoryFiles::makeFolder(const std::string& path) {
    LOADER_CHECK(writable(path));
    if (const NodePointer node = find(path))
        return node->kind == FileKind::Folder ? Status() : Status(failed("File exists", path));
    auto node = std::make_shared<Node>();
    node->kind = FileKind::Folder;
    node->mode = 0700;
    note({path, node, {}});
    return {};
}

Status MemoryFiles::removeFolder(const std::string& path) {
    LOADER_CHECK(writable(path));
    const auto inside = m_names.upper_bound(path + "/");
    const bool empty = inside == m_names.end() || !inside->first.starts_with(path + "/");
    if (!empty) return failed("Directory not empty", path);
    if (find(path)) note({path, nullptr, {}});
    return {};
}

Status MemoryFiles::syncFolder(const std::string& path) {
    const auto kept =
        std::stable_partition(m_changes.begin(), m_changes.end(), [&path](const Change& change) {
            const bool here = app::folderOf(change.path) == path;
            return !here && (change.left.empty() || app::folderOf(change.left) != path);
        });
    for (auto at = kept; at != m_changes.end(); ++at)
        apply(*at, m_onDisk);
    m_changes.erase(kept, m_changes.end());
    return {};
}

Status MemoryFiles::setMode(const std::string& path, std::uint32_t mode) {
    const NodePointer node = follow(path);
    if (!node) return failed("No such file or directory", path);
    node->mode = mode;
    return {};
}

Result<std::unique_ptr<app::HeldLock>> MemoryFiles::lock(const std::string& path, std::chrono::milliseconds) {
    LOADER_CHECK(writable(path));
    if (!m_locks->insert(path).second) return Error(Errc::C506, {"another instance of this test"}, path);
    return std::unique_ptr<app::HeldLock>(std::make_unique<MemoryLock>(m_locks, path));
}

}  // namespace loader::test
