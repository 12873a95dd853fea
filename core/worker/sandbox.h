// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a process gives up before it reads a byte of a model: network, files, other programs and, without a
// GPU, new machine code. What is in force is verified and reported; what the system lacks is said.
// docs/security.md says what is claimed and what is not, docs/adr/0016-sandbox.md why.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/engine/base/result.h"

namespace loader::worker {

enum class SandboxProfile : std::uint8_t {
    /// No path, no network, no other process, no new code. Files come as descriptors.
    Cpu,
    /// As above, but drivers may read their own files, open their devices, write one folder and make code.
    Gpu
};

struct SandboxOptions {
    SandboxProfile profile = SandboxProfile::Cpu;
    /// Stay open besides 0, 1 and 2.
    std::vector<int> keepDescriptors;
    /// Gpu: the only folder that may be written; it must exist. Empty: none.
    std::string cacheFolder;
    /// Refuse with W620 where something cannot be enforced, instead of reporting it.
    bool strict = false;
    /// Descriptors that may be open at once; a model in parts needs one for each. 0: 64, Gpu 256.
    std::uint32_t descriptorLimit = 0;
    /// Process id that must still be the parent; the process ends with it. 0: whoever the parent is.
    std::int64_t parentProcess = 0;
};

/// What is in force, as verified after entering.
struct SandboxReport {
    bool seccomp = false;
    /// 0: none.
    int landlockAbi = 0;
    /// No socket can be made.
    bool network = false;
    /// Cpu: no path can be opened. Gpu: only those of drivers and the cache folder.
    bool files = false;
    /// No other program can be started and no process made.
    bool exec = false;
    /// No memory becomes executable. Never in the Gpu profile.
    bool newCode = false;
    /// One sentence for each thing that is not enforced, and why.
    std::vector<std::string> notes;
};

/// The first thing in main(): closes what was inherited, forgets the environment but for a short list (the
/// memory of the rest is cleared), ends with its parent, keeps no privileges, leaves no core dump, may write
/// no files (Gpu: none above 256 MiB), and is the first to go where memory runs out. Ignores SIGXFSZ. The
/// parent's *thread* that started this process must live as long as it shall live.
/// @errors W621 @thread the only one of the process
Status prepareProcess(const SandboxOptions& options);

/// After back ends are loaded and before any byte of a model is read. Cannot be undone. Descriptors, threads
/// and mappings stay as they are. Handles SIGSYS from here on.
/// @errors W620 strict and something is not in force; W621 @thread the only one of the process: others are
///         covered as far as the kernel can, and the report says what not
Result<SandboxReport> enterSandbox(const SandboxOptions& options);

}  // namespace loader::worker
