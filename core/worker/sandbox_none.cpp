// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Systems for which no sandbox is written yet. Says so instead of pretending.

#include "core/worker/sandbox.h"

#ifdef _WIN32
#include <windows.h>
#endif

namespace loader::worker {

Status prepareProcess(const SandboxOptions&) {
#ifdef _WIN32
    // A box on the screen that waits for a click would keep alive what is broken.
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
#endif
    return {};
}

Result<SandboxReport> enterSandbox(const SandboxOptions& options) {
    SandboxReport report;
    report.notes.emplace_back("The sandbox is not enforced on this system.");
    if (options.strict) return Error(Errc::W620, {report.notes.front()});
    return report;
}

}  // namespace loader::worker
