// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/hardware_json.h"

namespace loader::app {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json orNull(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

Json orNull(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

Json numberOrNull(std::uint64_t value) {
    return value != 0 ? Json(value) : Json();
}

Json cpuJson(const CpuFacts& cpu) {
    Json json = {{"vendor", orNull(cpu.vendor)},
                 {"model", orNull(cpu.model)},
                 {"board", orNull(cpu.board)},
                 {"packages", cpu.layout.packages},
                 {"numa_nodes", cpu.layout.numaNodes},
                 {"cores", cpu.share.cores},
                 {"threads", cpu.share.threads},
                 {"allowed_cores", cpu.share.allowedCores},
                 {"allowed_threads", cpu.share.allowedThreads},
                 {"time_quota", orNull(cpu.share.quota)},
                 {"usable_cores", usableCores(cpu.share)},
                 {"flags", cpu.flags.names()},
                 {"tier", cpu.tier},
                 {"core_kinds", Json::array()},
                 {"caches", Json::array()}};
    for (const CoreKind& kind : cpu.layout.kinds) {
        json["core_kinds"].push_back({{"cores", kind.cores},
                                      {"threads", kind.threads},
                                      {"clock_khz", numberOrNull(kind.clockKilohertz)}});
    }
    for (const CacheFacts& cache : cpu.caches) {
        json["caches"].push_back({{"level", cache.level},
                                  {"kind", cache.kind},
                                  {"bytes", cache.bytes},
                                  {"shared_by", cache.sharedBy},
                                  {"count", cache.count}});
    }
    return json;
}

Json speedJson(const MemorySpeed& speed) {
    return {{"bytes_per_second", speed.bytesPerSecond},
            {"class", memorySpeedClass(speed.bytesPerSecond)},
            {"source", "measured now"},
            {"threads", speed.threads},
            {"milliseconds", speed.milliseconds},
            {"caches_helped", speed.cachesHelped}};
}

Json memoryJson(const MemoryFacts& memory, const std::optional<MemorySpeed>& speed) {
    Json json = {{"total_bytes", numberOrNull(memory.total)},
                 {"available_bytes", orNull(memory.available)},
                 {"group_limit_bytes", orNull(memory.groupLimit)},
                 {"group_room_bytes", orNull(memory.groupRoom)},
                 {"address_space_limit_bytes", orNull(memory.process.addressSpace)},
                 {"lock_limit_bytes", orNull(memory.process.locked)},
                 {"swap_total_bytes", memory.swapTotal},
                 {"swap_free_bytes", memory.swapFree},
                 {"usable_bytes", nullptr},
                 {"limited_by", nullptr},
                 {"read_speed", speed ? speedJson(*speed) : Json()}};
    if (const auto usable = availableMemory(memory)) {
        json["usable_bytes"] = usable->bytes;
        json["limited_by"] = usable->source;
    }
    return json;
}

Json osJson(const OsFacts& os) {
    return {{"name", orNull(os.name)},           {"version", orNull(os.version)},
            {"kernel", orNull(os.kernel)},       {"architecture", orNull(os.architecture)},
            {"container", orNull(os.container)}, {"virtual_machine", orNull(os.virtualMachine)},
            {"session", orNull(os.session)}};
}

Json diskJson(const DiskFacts& disk) {
    return {{"path", disk.path},
            {"total_bytes", disk.totalBytes},
            {"free_bytes", disk.freeBytes},
            {"file_system", orNull(disk.kind.fileSystem)},
            {"mount_point", orNull(disk.kind.mountPoint)},
            {"network", disk.kind.network},
            {"removable", disk.kind.removable},
            {"rotational", orNull(disk.kind.rotational)},
            {"read_only", disk.kind.readOnly}};
}

Json adapterJson(const AdapterFacts& adapter) {
    return {{"place", adapter.place},
            {"vendor_id", numberOrNull(adapter.vendorId)},
            {"device_id", numberOrNull(adapter.deviceId)},
            {"vendor", orNull(adapter.vendor)},
            {"kernel_driver", orNull(adapter.kernelDriver)}};
}

Json faultJson(const ProbeFault& fault) {
    return {
        {"code", fault.code}, {"message", fault.message}, {"place", fault.place}, {"action", fault.action}};
}

Json deviceJson(const ProbedDevice& device) {
    Json properties = Json::object();
    for (const auto& [key, value] : device.properties)
        properties[key] = value;
    Json json = {{"id", device.id},
                 {"name", device.name},
                 {"detail", device.detail},
                 {"kind", nameOf(device.kind)},
                 {"memory_bytes", numberOrNull(device.memoryBytes)},
                 {"free_bytes", numberOrNull(device.freeBytes)},
                 {"self_tested", device.selfTested},
                 {"properties", std::move(properties)}};
    if (device.refusal) json["error"] = faultJson(*device.refusal);
    return json;
}

}  // namespace

Json probedBackendJson(const ProbedBackend& probe) {
    Json json = {
        {"id", probe.id}, {"name", probe.name}, {"remembered", probe.remembered}, {"devices", Json::array()}};
    for (const ProbedDevice& device : probe.devices)
        json["devices"].push_back(deviceJson(device));
    if (probe.fault) json["error"] = faultJson(*probe.fault);
    return json;
}

Json hardwareJson(const HardwareFacts& facts) {
    Json json = {{"cpu", cpuJson(facts.cpu)},
                 {"memory", memoryJson(facts.memory, facts.memorySpeed)},
                 {"disks", Json::array()},
                 {"os", osJson(facts.os)},
                 {"graphics_adapters", Json::array()},
                 {"backends", nullptr}};
    for (const DiskFacts& disk : facts.disks)
        json["disks"].push_back(diskJson(disk));
    for (const AdapterFacts& adapter : facts.adapters)
        json["graphics_adapters"].push_back(adapterJson(adapter));
    if (facts.probes) {
        json["backends"] = Json::array();
        for (const ProbedBackend& probe : *facts.probes)
            json["backends"].push_back(probedBackendJson(probe));
    }
    return json;
}

}  // namespace loader::app
