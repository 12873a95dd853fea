// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// File operations that are recorded, and fail or stop where a test says. They go on to others: those in
// memory, or those of the system.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/app/storage/file_operations.h"

namespace loader::test {

/// One call that changes something.
struct FileCall {
    /// "create", "append", "sync", "close", "rename", "remove", "makeFolder", "removeFolder", "syncFolder",
    /// "setMode" or "lock".
    std::string what;
    std::string path;
    /// Of a rename: the new name.
    std::string to;
    /// From 0, of all calls.
    std::size_t number = 0;
};

enum class FaultKind : std::uint8_t {
    None,
    /// The call fails with F806 and does nothing.
    Fail,
    /// A rename that another program prevents for a moment.
    Busy,
    /// The process ends with this call, which is done by half where it can be (an append) and else not at
    /// all.
    Stop,
};

struct FileFault {
    FaultKind kind = FaultKind::None;
    std::string words;
};

/// @thread confined to one thread
class FaultyFiles final : public app::FileOperations {
public:
    /// @param decide is asked before every call that changes something; empty lets all pass
    explicit FaultyFiles(app::FileOperations& inner, std::function<FileFault(const FileCall&)> decide = {});

    /// All calls so far: "sync /c/config.json.part0".
    const std::vector<std::string>& calls() const { return m_state->calls; }
    /// Stopped: every later call fails and does nothing.
    bool stopped() const { return m_state->stopped; }

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

    /// Shared with the files that are being written.
    struct State {
        std::function<FileFault(const FileCall&)> decide;
        std::vector<std::string> calls;
        bool stopped = false;
        FileFault ask(const char* what, const std::string& path, const std::string& to = {});
        Status check(const char* what, const std::string& path);
    };

private:
    app::FileOperations& m_inner;
    std::shared_ptr<State> m_state;
};

/// Ends the process with call number n; 0 is the first one.
std::function<FileFault(const FileCall&)> stopAt(std::size_t number);
/// Every call of this kind whose path ends so fails.
std::function<FileFault(const FileCall&)> failWhere(std::string what, std::string ending, std::string words);

}  // namespace loader::test
