// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A disk in memory that forgets what was not synced when its power is cut: any part of unsynced bytes, any
// subset of unsynced names. It has the size and the read-only folders that a test gives it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/app/storage/file_operations.h"

namespace loader::test {

/// @thread confined to one thread
class MemoryFiles final : public app::FileOperations {
public:
    MemoryFiles();

    // What a test does from outside; all of it lasting.
    void put(const std::string& path, std::string_view bytes, std::uint32_t mode = 0644);
    void putLink(const std::string& path, const std::string& target);
    void putFolder(const std::string& path);
    void putPipe(const std::string& path);
    /// Nothing where there is no file.
    std::optional<std::string> get(const std::string& path) const;
    std::uint32_t modeOf(const std::string& path) const;
    std::vector<std::string> paths() const;

    /// Bytes of all files together.
    void setCapacity(std::uint64_t bytes) { m_capacity = bytes; }
    void makeReadOnly(const std::string& folder) { m_readOnly.insert(folder); }
    /// Nothing changes; locks and open files are gone, as when a process is killed.
    void killProcess();
    /// The machine starts again with what happened to be on the disk.
    void cutPower(std::mt19937& random);

    Result<app::FileFacts> facts(const std::string& path) override;
    Result<std::string> target(const std::string& path) override;
    Result<std::vector<app::FolderEntry>> list(const std::string& folder) override;
    Result<std::string> read(const std::string& path, std::size_t most) override;
    Status readPieces(const std::string& path, const std::function<Status(std::string_view)>& take) override;
    Result<std::unique_ptr<app::NewFile>> create(const std::string& path, std::uint32_t mode) override;
    Result<bool> rename(const std::string& from, const std::string& to) override;
    Status remove(const std::string& path) override;
    Status makeFolder(const std::string& path) override;
    Status removeFolder(const std::string& path) override;
    Status syncFolder(const std::string& path) override;
    Status setMode(const std::string& path, std::uint32_t mode) override;
    Result<std::unique_ptr<app::HeldLock>> lock(const std::string& path,
                                                std::chrono::milliseconds patience) override;
    void pause(std::chrono::milliseconds) override {}

private:
    friend class MemoryNewFile;
    friend class MemoryLock;
    struct Node {
        app::FileKind kind = app::FileKind::Regular;
        std::uint32_t mode = 0600;
        std::string bytes;
        std::string link;
        /// How much of bytes the disk has for certain.
        std::size_t synced = 0;
    };
    using NodePointer = std::shared_ptr<Node>;
    using Names = std::map<std::string, NodePointer>;
    /// A change of names that the disk may not have yet: node appears at path (null: nothing is there any
    /// more) and leaves the name it had.
    struct Change {
        std::string path;
        NodePointer node;
        std::string left;
    };

    NodePointer find(const std::string& path) const;
    NodePointer follow(const std::string& path) const;
    Status writable(const std::string& path) const;
    void note(Change change);
    static void apply(const Change& change, Names& names);
    std::uint64_t used() const;

    Names m_names;
    Names m_onDisk;
    std::vector<Change> m_changes;
    std::set<std::string> m_readOnly;
    std::uint64_t m_capacity = ~std::uint64_t{0};
    /// Held locks; the token tells locks of a dead process from those of a living one.
    std::shared_ptr<std::set<std::string>> m_locks;
};

}  // namespace loader::test
