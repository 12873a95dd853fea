// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf-worker: runs one model, or probes, for the program that started it. Not for people: it is told
// everything over the connection that it was given.

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/socket.h>
#endif

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/worker/sandbox.h"
#include "core/worker/worker.h"

namespace {

/// All parts of a split model, and what a driver opens.
constexpr std::uint32_t kDescriptors = 512;

#ifdef _WIN32

/// The handle whose number is the last word of the command line, if it is a pipe. @return -1 for none
std::intptr_t findConnection(int count, char** words) {
    constexpr std::string_view kOption = "--connection=";
    const std::string_view last = count > 1 ? words[count - 1] : "";
    if (!last.starts_with(kOption)) return -1;
    std::intptr_t value = -1;
    const std::string_view number = last.substr(kOption.size());
    const auto [end, fault] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (fault != std::errc() || end != number.data() + number.size()) return -1;
    const HANDLE handle = reinterpret_cast<HANDLE>(value);
    const bool isPipe = GetNamedPipeInfo(handle, nullptr, nullptr, nullptr, nullptr) != 0;
    return isPipe && SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) ? value : -1;
}

#else

/// Descriptor 3, if it is a socket. @return -1 for none
std::intptr_t findConnection(int, char**) {
    constexpr int kConnection = 3;
    int kind = 0;
    socklen_t size = sizeof kind;
    return ::getsockopt(kConnection, SOL_SOCKET, SO_TYPE, &kind, &size) == 0 ? kConnection : -1;
}

#endif

}  // namespace

int main(int count, char** words) {
    const std::intptr_t connection = findConnection(count, words);
    if (connection < 0) {
        std::fputs("gguf-worker is started by gguf and gguf-loader; it is of no use by itself.\n", stderr);
        return 2;
    }
    loader::worker::SandboxOptions options;
    // The folder is needed before anything is read from the connection: drivers look it up when they are loaded.
    constexpr std::string_view kGpu = "--gpu=";
    const bool forGpu = count > 1 && std::string_view(words[1]).starts_with(kGpu);
    if (forGpu) options.cacheFolder = words[1] + kGpu.size();
    options.profile = forGpu ? loader::worker::SandboxProfile::Gpu : loader::worker::SandboxProfile::Cpu;
    options.keepDescriptors = {static_cast<int>(connection)};
    options.descriptorLimit = kDescriptors;
    const auto prepared = loader::worker::prepareProcess(options);
    if (!prepared.ok()) {
        std::fprintf(stderr, "%s\n", prepared.error().toString().c_str());
        return 1;
    }
    const int status = loader::worker::Worker(loader::protocol::Descriptor(connection)).serve();
    // Threads may still compute; nothing of theirs is worth waiting for.
    std::_Exit(status);
}
