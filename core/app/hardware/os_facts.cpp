// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/os_facts.h"

#include <QString>
#include <QSysInfo>

namespace loader::app {
namespace {

/// A text and what it says where it is found.
struct Hint {
    std::string_view text;
    std::string_view meaning;
};

template <std::size_t N>
std::string_view meaningIn(std::string_view text, const Hint (&hints)[N]) {
    for (const Hint& hint : hints) {
        if (text.find(hint.text) != std::string_view::npos) return hint.meaning;
    }
    return {};
}

std::string unquoted(std::string_view text) {
    const bool quoted =
        text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
    return std::string(quoted ? text.substr(1, text.size() - 2) : text);
}

void readRelease(const SystemText& system, OsFacts& facts) {
    auto release = system.text("/etc/os-release");
    if (!release) release = system.text("/usr/lib/os-release");
    if (!release) return;
    facts.name = unquoted(valueOf(*release, "PRETTY_NAME", '=').value_or(""));
    if (facts.name.empty()) facts.name = unquoted(valueOf(*release, "NAME", '=').value_or(""));
    facts.version = unquoted(valueOf(*release, "VERSION_ID", '=').value_or(""));
}

std::string containerOf(const SystemText& system) {
    if (system.exists("/.flatpak-info")) return "flatpak";
    const std::string told(system.line("/run/systemd/container").value_or(""));
    if (!told.empty()) return told;
    if (system.exists("/run/.containerenv")) return "podman";
    if (system.exists("/.dockerenv")) return "docker";
    constexpr Hint kGroups[] = {{"/docker", "docker"}, {"kubepods", "kubernetes"},
                                {"libpod", "podman"},  {"containerd", "containerd"},
                                {"/lxc", "lxc"},       {"snap.", "snap"}};
    return std::string(meaningIn(system.text("/proc/self/cgroup").value_or(""), kGroups));
}

std::string virtualMachineOf(const SystemText& system, const std::string& kernel) {
    if (kernel.find("microsoft") != std::string::npos || kernel.find("Microsoft") != std::string::npos)
        return "WSL";
    const std::string machine = system.line("/sys/class/dmi/id/sys_vendor").value_or("") + " " +
                                system.line("/sys/class/dmi/id/product_name").value_or("");
    constexpr Hint kMachines[] = {
        {"QEMU", "QEMU"},
        {"KVM", "KVM"},
        {"VMware", "VMware"},
        {"VirtualBox", "VirtualBox"},
        {"Virtual Machine", "Hyper-V"},
        {"Xen", "Xen"},
        {"HVM domU", "Xen"},
        {"Parallels", "Parallels"},
        {"Amazon EC2", "Amazon EC2"},
        {"Google Compute Engine", "Google Compute Engine"},
        {"Apple Virtualization", "Apple Virtualization"},
    };
    const std::string_view named = meaningIn(machine, kMachines);
    if (!named.empty()) return std::string(named);
    const std::string hypervisor = system.line("/sys/hypervisor/type").value_or("");
    if (!hypervisor.empty()) return hypervisor;
    // The processor says that somebody is above it, and not who.
    const std::string info = system.text("/proc/cpuinfo", 16384).value_or("");
    const std::string flags = " " + std::string(valueOf(info, "flags", ':').value_or("")) + " ";
    return flags.find(" hypervisor ") != std::string::npos ? "unnamed" : "";
}

std::string sessionOf(const SessionVariables& variables) {
    // Over ssh the variables of the display may be forwarded; the person is elsewhere all the same.
    if (!variables.sshConnection.empty()) return "ssh";
    if (!variables.sessionType.empty()) return variables.sessionType;
    if (!variables.waylandDisplay.empty()) return "wayland";
    return variables.display.empty() ? "none" : "x11";
}

}  // namespace

OsFacts readOsFacts(const SessionVariables& variables, const SystemText& system) {
    OsFacts facts;
    readRelease(system, facts);
    facts.kernel = system.line("/proc/sys/kernel/osrelease").value_or("");
    if (system.isThisSystem()) {
        if (facts.name.empty()) facts.name = QSysInfo::prettyProductName().toStdString();
        if (facts.version.empty()) facts.version = QSysInfo::productVersion().toStdString();
        if (facts.kernel.empty()) facts.kernel = QSysInfo::kernelVersion().toStdString();
    }
    facts.architecture = QSysInfo::currentCpuArchitecture().toStdString();
    facts.container = containerOf(system);
    facts.virtualMachine = virtualMachineOf(system, facts.kernel);
    facts.session = sessionOf(variables);
    return facts;
}

}  // namespace loader::app
