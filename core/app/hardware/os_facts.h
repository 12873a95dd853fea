// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The operating system, and whether it runs in a container or a virtual machine.
#pragma once

#include <string>

#include "core/engine/base/system_text.h"

namespace loader::app {

struct OsFacts {
    /// "Debian GNU/Linux 12 (bookworm)".
    std::string name;
    /// "12"; empty where the system does not tell, as all below.
    std::string version;
    std::string kernel;
    /// "x86_64", "arm64".
    std::string architecture;
    /// "docker", "podman", "flatpak" …; empty outside.
    std::string container;
    /// "QEMU", "VMware", "WSL" …; empty on a real machine.
    std::string virtualMachine;
    /// "wayland", "x11", "tty", "ssh" or "none".
    std::string session;
};

/// Variables of the environment that tell of the session; the programs read them.
struct SessionVariables {
    std::string sessionType;     // XDG_SESSION_TYPE
    std::string waylandDisplay;  // WAYLAND_DISPLAY
    std::string display;         // DISPLAY
    std::string sshConnection;   // SSH_CONNECTION
};

/// @source os-release(5); systemd's container interface; Linux
/// Documentation/ABI/testing/sysfs-firmware-dmi-tables
OsFacts readOsFacts(const SessionVariables& variables, const SystemText& system = SystemText());

}  // namespace loader::app
