// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf-worker: runs one model, or probes, for the program that started it. Not for people: it is told
// everything over the connection that it was given.

#include <cstdio>
#include <cstdlib>

#include "core/worker/worker.h"

#ifndef _WIN32
#include <sys/socket.h>
#endif

namespace {

constexpr std::intptr_t kConnection = 3;

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

int main() {
    if (!isConnected()) {
        std::fputs("gguf-worker is started by gguf and gguf-loader; it is of no use by itself.\n", stderr);
        return 2;
    }
    const int status = loader::worker::Worker(loader::protocol::Descriptor(kConnection)).serve();
    // Threads may still compute; nothing of theirs is worth waiting for.
    std::_Exit(status);
}
