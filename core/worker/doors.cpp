// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/worker/doors.h"

namespace loader::worker {

Result<protocol::SandboxFacts> closeDoors(const protocol::Hello& hello, std::intptr_t) {
    protocol::SandboxFacts facts;
    facts.notes.emplace_back(hello.sandbox == protocol::SandboxWish::Off ? "asked to leave all open"
                                                                         : "not built yet");
    return facts;
}

}  // namespace loader::worker
