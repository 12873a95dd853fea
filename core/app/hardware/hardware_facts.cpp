// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/hardware_facts.h"

namespace loader::app {

Result<HardwareFacts> readHardware(const HardwareQuery& query, CancelToken cancel, const SystemText& system) {
    HardwareFacts facts;
    facts.cpu = readCpuFacts(system);
    facts.memory = readMemoryFacts(system);
    if (query.measureMemory) {
        auto speed = measureMemorySpeed(usableCores(facts.cpu.share), lastLevelCacheBytes(facts.cpu), cancel);
        if (speed.ok()) facts.memorySpeed = *speed;
        LOADER_CHECK(cancel.check());
    }
    facts.os = readOsFacts(query.session, system);
    for (const std::string& path : query.paths) {
        auto disk = readDiskFacts(path, system);
        if (disk.ok()) facts.disks.push_back(std::move(disk).value());
    }
    facts.adapters = readAdapters(system);
    if (query.probes) {
        facts.probes = query.probes(cancel);
        LOADER_CHECK(cancel.check());
    }
    return facts;
}

}  // namespace loader::app
