// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf hardware: what this machine has, in plain words.

#include "core/app/hardware/hardware_facts.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "core/app/backend_manager/probe_convert.h"
#include "core/app/hardware/hardware_json.h"
#include "core/cli/context.h"

namespace loader::cli {
namespace {

/// Back ends that may be chosen without being named, as they are now or as they were with the same drivers.
std::vector<app::ProbedBackend> askBackends(bool again, CancelToken cancel) {
    std::vector<app::ProbedBackend> probes;
    auto backends = app::probeAll(workerOptions(), probeMemory(again), cancel);
    if (!backends.ok())
        return {{"worker", "The process that asks back ends", {}, app::probeFault(backends.error()), false}};
    for (const app::BackendCandidate& backend : *backends) {
        // What is linked in is the processor, which is told above.
        if (backend.entry.automatic && !backend.entry.path.empty())
            probes.push_back(app::probedBackend(backend));
    }
    return probes;
}

/// One line: what it is about, then what is said.
void say(Output& output, std::string_view label, const std::string& text) {
    constexpr std::size_t kLabel = 13;
    std::string line(label);
    line.resize(std::max(kLabel, line.size() + 1), ' ');
    output.write(line + text + "\n");
}

std::string joined(const std::vector<std::string>& parts, const char* between) {
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : between) + part;
    return text;
}

std::string countOf(unsigned count, const char* one, const char* many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string decimal(double value, const char* unit) {
    char text[48];
    std::snprintf(text, sizeof text, "%.1f %s", value, unit);
    return text;
}

std::string coresText(const CpuShare& share, const CpuLayout& layout) {
    std::string text =
        countOf(share.cores, "core", "cores") + ", " + countOf(share.threads, "thread", "threads");
    if (layout.kinds.size() > 1) {
        std::vector<std::string> kinds;
        for (const CoreKind& kind : layout.kinds)
            kinds.push_back(std::to_string(kind.cores));
        text += " (" + joined(kinds, " fast + ") + " slower)";
    }
    if (layout.packages > 1) text += ", in " + std::to_string(layout.packages) + " packages";
    if (share.allowedThreads < share.threads)
        text += "; this program may use " + countOf(share.allowedThreads, "thread", "threads") + " on " +
                countOf(share.allowedCores, "core", "cores");
    if (share.quota) text += "; its group has the time of " + decimal(*share.quota, "processors");
    return text;
}

void sayCpu(Output& output, const app::CpuFacts& cpu) {
    std::string model = cpu.model.empty() ? "model not known" : cpu.model;
    // The vendor stands in most names.
    if (!cpu.vendor.empty() && model.find(cpu.vendor) == std::string::npos) model = cpu.vendor + " " + model;
    say(output, "Processor", model + (cpu.board.empty() ? "" : ", in a " + cpu.board));
    say(output, "  Cores", coresText(cpu.share, cpu.layout));
    const std::string flags = joined(cpu.flags.names(), " ");
    say(output, "  Can", (flags.empty() ? "nothing beyond its baseline" : flags) + "; kernels: " + cpu.tier);
    std::vector<std::string> caches;
    for (const app::CacheFacts& cache : cpu.caches) {
        if (cache.kind == "instruction") continue;
        std::string text = "L" + std::to_string(cache.level) + " ";
        if (cache.count > 1) text += std::to_string(cache.count) + " x ";
        text += sizeText(cache.bytes);
        if (cache.sharedBy > 1) text += " (shared by " + std::to_string(cache.sharedBy) + " threads)";
        caches.push_back(text);
    }
    say(output, "  Caches", caches.empty() ? "the system does not tell" : joined(caches, ", "));
}

void sayMemory(Output& output, const app::HardwareFacts& facts) {
    const MemoryFacts& memory = facts.memory;
    std::string text = memory.total != 0 ? sizeText(memory.total) : "size not known";
    if (memory.available) text += ", " + sizeText(*memory.available) + " free";
    say(output, "Memory", text);
    if (const auto usable = availableMemory(memory))
        say(output, "  Usable", sizeText(usable->bytes) + " (set by " + usable->source + ")");
    if (memory.groupLimit) say(output, "  Group", "limited to " + sizeText(*memory.groupLimit));
    if (memory.process.addressSpace)
        say(output, "  Addresses", "limited to " + sizeText(*memory.process.addressSpace));
    say(output, "  Lockable", memory.process.locked ? sizeText(*memory.process.locked) : "no limit told");
    if (memory.swapTotal != 0)
        say(output, "  Swap", sizeText(memory.swapTotal) + ", " + sizeText(memory.swapFree) + " free");
    if (const auto& speed = facts.memorySpeed) {
        std::string words(app::memorySpeedClass(speed->bytesPerSecond));
        if (speed->cachesHelped) words += "; the caches may have helped";
        say(output, "  Reading",
            decimal(speed->bytesPerSecond / 1e9, "GB/s") + " with " +
                countOf(speed->threads, "thread", "threads") + " (" + words + "; measured now, in " +
                decimal(speed->milliseconds, "ms") + ")");
    }
}

void sayDisks(Output& output, const std::vector<app::DiskFacts>& disks) {
    std::set<std::string> said;
    for (const app::DiskFacts& disk : disks) {
        if (!said.insert(disk.kind.mountPoint.empty() ? disk.path : disk.kind.mountPoint).second) continue;
        std::string text = sizeText(disk.freeBytes) + " free of " + sizeText(disk.totalBytes);
        if (!disk.kind.fileSystem.empty()) text += ", " + disk.kind.fileSystem;
        if (disk.kind.network) text += ", behind a network";
        if (disk.kind.removable) text += ", removable";
        if (disk.kind.rotational.value_or(false)) text += ", turning platters";
        if (disk.kind.readOnly) text += ", read-only";
        say(output, "Disk", text + ": " + disk.path);
    }
}

void sayOs(Output& output, const app::OsFacts& os) {
    say(output, "System",
        os.name + (os.kernel.empty() ? "" : ", kernel " + os.kernel) + ", " + os.architecture);
    if (!os.container.empty()) say(output, "  Container", os.container);
    if (!os.virtualMachine.empty())
        say(output, "  Machine",
            os.virtualMachine == "unnamed" ? "virtual" : "virtual (" + os.virtualMachine + ")");
    say(output, "  Session", os.session);
}

void sayAdapters(Output& output, const std::vector<app::AdapterFacts>& adapters) {
    if (adapters.empty()) say(output, "Graphics", "the system lists no adapter");
    for (const app::AdapterFacts& adapter : adapters) {
        char number[32];
        std::snprintf(number, sizeof number, "%04x:%04x", adapter.vendorId, adapter.deviceId);
        std::string text = adapter.vendor.empty() ? "adapter" : adapter.vendor + " adapter";
        if (adapter.vendorId != 0) text += std::string(" ") + number;
        text +=
            adapter.kernelDriver.empty() ? ", no kernel driver" : ", kernel driver " + adapter.kernelDriver;
        say(output, "Graphics", text + " (" + adapter.place + ")");
    }
}

void sayDevice(Output& output, const app::ProbedDevice& device) {
    const app::GpuFacts facts = app::gpuFacts(device);
    std::string text = device.name + " (" + std::string(app::nameOf(device.kind)) + "), " + device.detail;
    if (device.memoryBytes != 0) text += ", " + sizeText(device.memoryBytes);
    if (device.freeBytes != 0) text += ", " + sizeText(device.freeBytes) + " free";
    say(output, "  Device", text);
    say(output, "    Id", device.id);
    if (!facts.refusal.empty()) say(output, "    Unusable", std::string(facts.refusal));
    if (device.refusal)
        say(output, "    Refused",
            device.refusal->code + ": " + device.refusal->message + " " + device.refusal->action);
    if (device.selfTested) say(output, "    Tested", "it computes what the processor computes");
    std::vector<std::string> can;
    const auto note = [&can](bool has, const char* what) {
        if (has) can.emplace_back(what);
    };
    note(facts.halfFloat, "fp16");
    note(facts.integerDot, "int8 dot products");
    note(facts.cooperativeMatrix, "cooperative matrices");
    note(facts.bufferAddress, "buffer addresses");
    note(facts.timelineSemaphore, "timeline semaphores");
    if (facts.subgroupSize != 0) can.push_back("subgroups of " + std::to_string(facts.subgroupSize));
    if (!can.empty()) say(output, "    Can", joined(can, ", "));
    if (facts.maxAllocationBytes != 0)
        say(output, "    Limits",
            "allocations of " + sizeText(facts.maxAllocationBytes) + ", storage ranges of " +
                sizeText(facts.maxStorageRangeBytes));
}

void sayProbes(Output& output, const app::HardwareFacts& facts) {
    if (!facts.probes) {
        say(output, "Back ends", "not probed yet: without --quick their devices are asked for");
        return;
    }
    for (const app::ProbedBackend& probe : *facts.probes) {
        say(output, "Back end",
            probe.id + ", " + probe.name + (probe.remembered ? " (as probed before)" : ""));
        for (const app::ProbedDevice& device : probe.devices)
            sayDevice(output, device);
        if (probe.fault)
            say(output, "  Fault",
                probe.fault->code + ": " + probe.fault->message + " " + probe.fault->action);
    }
}

}  // namespace

Result<int> hardwareCommand(Context& context) {
    const bool quick = context.arguments.has("quick");
    app::HardwareQuery query = hardwareQuery(context, !quick);
    const bool again = context.arguments.has("again");
    if (!quick) query.probes = [again](CancelToken cancel) { return askBackends(again, cancel); };
    LOADER_TRY(const app::HardwareFacts facts, app::readHardware(query, context.cancel));
    if (context.output.json()) {
        context.output.writeJson(app::hardwareJson(facts));
        return 0;
    }
    sayCpu(context.output, facts.cpu);
    sayMemory(context.output, facts);
    sayDisks(context.output, facts.disks);
    sayOs(context.output, facts.os);
    sayAdapters(context.output, facts.adapters);
    sayProbes(context.output, facts);
    return 0;
}

}  // namespace loader::cli
