// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What sandbox_probe can try, by name, from inside the sandbox.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace loader::test {

struct AttemptContext {
    /// A path, a port, a name: whatever the attempt needs.
    std::string argument;
    /// Passed by the test, or -1.
    int descriptor = -1;
    /// This program's own file, opened before the sandbox was entered.
    int ownProgram = -1;
    pid_t parent = 0;
};

/// 0 where it was possible, otherwise the error number.
using Attempt = int (*)(const AttemptContext&);

/// nullptr for a name that is not in the list.
Attempt findAttempt(std::string_view name);

/// "allowed" or "denied EPERM".
std::string outcomeText(int error);

/// Writes machine code into memory of its own and runs it, as an attacker would who found a hole. The code
/// tries to leave a file, to reach a server and to start a program, and returns how many of these worked.
/// @param way "direct", "protect", "map", "descriptor"
int runInjectedCode(const std::string& way, const std::string& marker, int port);

}  // namespace loader::test
