// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/faulty_files.h"

namespace loader::test {
namespace {

Error stoppedError() {
    return Error(Errc::F806, {"the process of this test has ended"});
}

class FaultyNewFile final : public app::NewFile {
public:
    FaultyNewFile(std::unique_ptr<app::NewFile> inner, std::shared_ptr<FaultyFiles::State> state,
                  std::string path)
        : m_inner(std::move(inner)), m_state(std::move(state)), m_path(std::move(path)) {}

    Status append(std::string_view bytes) override {
        const bool wasStopped = m_state->stopped;
        Status allowed = m_state->check("append", m_path);
        if (!wasStopped && m_state->stopped)
            ignoreErrorBecause("the process ends in the middle of it",
                               m_inner->append(bytes.substr(0, bytes.size() / 2)));
        return allowed.ok() ? m_inner->append(bytes) : allowed;
    }
    Status sync() override {
        Status allowed = m_state->check("sync", m_path);
        return allowed.ok() ? m_inner->sync() : allowed;
    }
    Status close() override {
        Status allowed = m_state->check("close", m_path);
        return allowed.ok() ? m_inner->close() : allowed;
    }

private:
    std::unique_ptr<app::NewFile> m_inner;
    std::shared_ptr<FaultyFiles::State> m_state;
    std::string m_path;
};

}  // namespace

FaultyFiles::FaultyFiles(app::FileOperations& inner, std::function<FileFault(const FileCall&)> decide)
    : m_inner(inner), m_state(std::make_shared<State>()) {
    m_state->decide = std::move(decide);
}

FileFault FaultyFiles::State::ask(const char* what, const std::string& path, const std::string& to) {
    if (stopped) return {FaultKind::Stop, {}};
    const FileCall call{what, path, to, calls.size()};
    calls.push_back(call.what + " " + path + (to.empty() ? "" : " " + to));
    FileFault fault = decide ? decide(call) : FileFault{};
    if (fault.kind == FaultKind::Stop) stopped = true;
    return fault;
}

Status FaultyFiles::State::check(const char* what, const std::string& path) {
    const FileFault fault = ask(what, path);
    if (fault.kind == FaultKind::Stop) return stoppedError();
    if (fault.kind == FaultKind::None) return {};
    return Error(Errc::F806, {fault.words}, path);
}

Result<app::FileFacts> FaultyFiles::facts(const std::string& path) {
    if (stopped()) return stoppedError();
    return m_inner.facts(path);
}

Result<std::string> FaultyFiles::target(const std::string& path) {
    if (stopped()) return stoppedError();
    return m_inner.target(path);
}

Result<std::vector<app::FolderEntry>> FaultyFiles::list(const std::string& folder) {
    if (stopped()) return stoppedError();
    return m_inner.list(folder);
}

Result<std::string> FaultyFiles::read(const std::string& path, std::size_t most) {
    if (stopped()) return stoppedError();
    return m_inner.read(path, most);
}

Status FaultyFiles::readPieces(const std::string& path, const std::function<Status(std::string_view)>& take) {
    if (stopped()) return stoppedError();
    return m_inner.readPieces(path, take);
}

Result<std::unique_ptr<app::NewFile>> FaultyFiles::create(const std::string& path, std::uint32_t mode) {
    LOADER_CHECK(m_state->check("create", path));
    LOADER_TRY(auto file, m_inner.create(path, mode));
    if (!file) return std::unique_ptr<app::NewFile>();
    return std::unique_ptr<app::NewFile>(std::make_unique<FaultyNewFile>(std::move(file), m_state, path));
}

Result<bool> FaultyFiles::rename(const std::string& from, const std::string& to) {
    const FileFault fault = m_state->ask("rename", from, to);
    if (fault.kind == FaultKind::Stop) return stoppedError();
    if (fault.kind == FaultKind::Busy) return false;
    if (fault.kind == FaultKind::Fail) return Error(Errc::F806, {fault.words}, to);
    return m_inner.rename(from, to);
}

Status FaultyFiles::remove(const std::string& path) {
    LOADER_CHECK(m_state->check("remove", path));
    return m_inner.remove(path);
}

Status FaultyFiles::makeFolder(const std::string& path) {
    LOADER_CHECK(m_state->check("makeFolder", path));
    return m_inner.makeFolder(path);
}

Status FaultyFiles::removeFolder(const std::string& path) {
    LOADER_CHECK(m_state->check("removeFolder", path));
    return m_inner.removeFolder(path);
}

Status FaultyFiles::syncFolder(const std::string& path) {
    LOADER_CHECK(m_state->check("syncFolder", path));
    return m_inner.syncFolder(path);
}

Status FaultyFiles::setMode(const std::string& path, std::uint32_t mode) {
    LOADER_CHECK(m_state->check("setMode", path));
    return m_inner.setMode(path, mode);
}

Result<std::unique_ptr<app::HeldLock>> FaultyFiles::lock(const std::string& path,
                                                         std::chrono::milliseconds patience) {
    LOADER_CHECK(m_state->check("lock", path));
    return m_inner.lock(path, patience);
}

std::function<FileFault(const FileCall&)> stopAt(std::size_t number) {
    return [number](const FileCall& call) {
        return call.number == number ? FileFault{FaultKind::Stop, {}} : FileFault{};
    };
}

std::function<FileFault(const FileCall&)> failWhere(std::string what, std::string ending, std::string words) {
    return [=](const FileCall& call) {
        const bool here = call.what == what && call.path.ends_with(ending);
        return here ? FileFault{FaultKind::Fail, words} : FileFault{};
    };
}

}  // namespace loader::test
