// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/adapter_facts.h"

#include <algorithm>
#include <charconv>

#include "core/engine/base/device_properties.h"

namespace loader::app {
namespace {

constexpr std::size_t kMostAdapters = 64;

/// "0x10de".
std::uint32_t hexFile(const SystemText& system, const std::string& path) {
    const std::string text = system.line(path).value_or("");
    if (!text.starts_with("0x")) return 0;
    std::uint32_t value = 0;
    const auto [end, fault] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    static_cast<void>(end);
    return fault == std::errc() ? value : 0;
}

std::string driverOf(const SystemText& system, const std::string& folder) {
    const std::string path = system.resolved(folder + "/driver").value_or("");
    return path.substr(path.rfind('/') + 1);
}

void addPci(const SystemText& system, std::vector<AdapterFacts>& adapters) {
    const std::string base = "/sys/bus/pci/devices/";
    for (const std::string& place : system.names(base)) {
        const std::uint32_t kind = hexFile(system, base + place + "/class") >> 16;
        if ((kind != 0x03 && kind != 0x12) || adapters.size() >= kMostAdapters) continue;
        AdapterFacts adapter;
        adapter.place = place;
        adapter.vendorId = hexFile(system, base + place + "/vendor");
        adapter.deviceId = hexFile(system, base + place + "/device");
        adapter.vendor = device_properties::vendorName(adapter.vendorId);
        adapter.kernelDriver = driverOf(system, base + place);
        adapters.push_back(std::move(adapter));
    }
}

/// GPUs that hang on no PCI bus have a node for computing all the same.
void addNodes(const SystemText& system, std::vector<AdapterFacts>& adapters) {
    const std::string base = "/sys/class/drm/";
    for (const std::string& name : system.names(base)) {
        if (!name.starts_with("renderD") || adapters.size() >= kMostAdapters) continue;
        const std::string folder = base + name + "/device";
        if (system.exists(folder + "/class")) continue;  // PCI
        adapters.push_back({name, 0, 0, "", driverOf(system, folder)});
    }
}

}  // namespace

std::vector<AdapterFacts> readAdapters(const SystemText& system) {
    std::vector<AdapterFacts> adapters;
    addPci(system, adapters);
    addNodes(system, adapters);
    return adapters;
}

}  // namespace loader::app
