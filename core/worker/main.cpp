// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf-worker: runs one model, or probes, for the program that started it. Not for people: it is told
// everything over the connection that it was given.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/worker/sandbox.h"
#include "core/worker/worker.h"

#ifndef _WIN32
#include <sys/socket.h>
#endif

namespace {

constexpr std::intptr_t kConnection = 3;
/// All parts of a split model, and what a driver opens.
constexpr std::uint32_t kDescriptors = 512;

bool isConnected() {
#ifndef _WIN32
    int kind = 0;
    socklen_t size = sizeof kind;
    return ::getsockopt(kConnection, SOL_SOCKET, SO_TYPE, &kind, &size) == 0;
#else
    return false;
#endif
}

}  // namespace

int main(int count, char** words) {
    if (!isConnected()) {
        std::fputs("gguf-worker is started by gguf and gguf-loader; it is of no use by itself.\n", stderr);
        return 2;
    }
    loader::worker::SandboxOptions options;
    const bool forGpu = count > 1 && std::string_view(words[1]) == "--gpu";
    options.profile = forGpu ? loader::worker::SandboxProfile::Gpu : loader::worker::SandboxProfile::Cpu;
    options.keepDescriptors = {static_cast<int>(kConnection)};
    options.descriptorLimit = kDescriptors;
    const auto prepared = loader::worker::prepareProcess(options);
    if (!prepared.ok()) {
        std::fprintf(stderr, "%s\n", prepared.error().toString().c_str());
        return 1;
    }
    const int status = loader::worker::Worker(loader::protocol::Descriptor(kConnection)).serve();
    // Threads may still compute; nothing of theirs is worth waiting for.
    std::_Exit(status);
}
