// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/worker/doors.h"

#include "core/worker/sandbox.h"

namespace loader::worker {

Result<protocol::SandboxFacts> closeDoors(const protocol::Hello& hello, std::intptr_t connection) {
    protocol::SandboxFacts facts;
    if (hello.sandbox == protocol::SandboxWish::Off) {
        facts.notes.emplace_back("The application asked for no sandbox.");
        return facts;
    }
    SandboxOptions options;
    options.profile = hello.forGpu ? SandboxProfile::Gpu : SandboxProfile::Cpu;
    options.keepDescriptors = {static_cast<int>(connection)};
    options.cacheFolder = hello.cacheFolder;
    options.strict = hello.sandbox == protocol::SandboxWish::Strict;
    LOADER_TRY(SandboxReport report, enterSandbox(options));
    facts.seccomp = report.seccomp;
    facts.landlockAbi = static_cast<std::uint32_t>(report.landlockAbi);
    facts.network = report.network;
    facts.files = report.files;
    facts.exec = report.exec;
    facts.newCode = report.newCode;
    facts.notes = std::move(report.notes);
    return facts;
}

}  // namespace loader::worker
