// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Closes what a worker does not need, as the application asked for, and says what is really closed.
#pragma once

#include <cstdint>

#include "core/engine/base/result.h"
#include "core/protocol/messages.h"

namespace loader::worker {

/// Before a byte of a model is read. @errors those of enterSandbox()
Result<protocol::SandboxFacts> closeDoors(const protocol::Hello& hello, std::intptr_t connection);

}  // namespace loader::worker
