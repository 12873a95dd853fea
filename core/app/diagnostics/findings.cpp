// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/diagnostics/findings.h"

#include <algorithm>
#include <set>

#include "core/engine/base/size_text.h"

namespace loader::app {
namespace {

using Weight = Finding::Weight;

constexpr std::uint64_t kMebibyte = 1u << 20;
constexpr std::uint64_t kGibibyte = 1u << 30;
/// The smallest models that are of use take a gigabyte with their context.
constexpr std::uint64_t kSmallMemory = 4 * kGibibyte;
constexpr std::uint64_t kLittleFree = kGibibyte;
constexpr std::uint64_t kLittleDisk = 2 * kGibibyte;
constexpr std::uint64_t kLowLockLimit = 512 * kMebibyte;

/// Collects; each function below looks at one part of the facts.
class Findings {
public:
    void add(Weight weight, const char* id, std::string sentence, std::string remedy) {
        m_all.push_back({weight, id, std::move(sentence), std::move(remedy)});
    }
    void add(Weight weight, const char* id, const std::string& subject, const Error& error) {
        add(weight, id, subject + ": " + error.message() + " (" + std::string(error.name()) + ")",
            error.action());
    }
    std::vector<Finding> sorted() && {
        std::stable_sort(m_all.begin(), m_all.end(),
                         [](const Finding& a, const Finding& b) { return a.weight < b.weight; });
        return std::move(m_all);
    }

private:
    std::vector<Finding> m_all;
};

void lookAtMemory(const MemoryFacts& memory, Findings& findings) {
    // What machines are sold with is a little less where the firmware keeps some.
    if (memory.total != 0 && memory.total < kSmallMemory - kSmallMemory / 16) {
        findings.add(Weight::Warning, "memory-small",
                     "This machine has " + sizeText(memory.total) + " of memory, less than 4 GiB.",
                     "Use models of at most 1 billion parameters, in four bits.");
    }
    const auto usable = availableMemory(memory);
    if (usable && usable->bytes < kLittleFree) {
        findings.add(Weight::Warning, "memory-short",
                     "Only " + sizeText(usable->bytes) + " of memory can be used now; what limits it is " +
                         usable->source + ".",
                     "Close other programs, or raise the limit.");
    }
    if (memory.groupLimit && memory.total != 0 && *memory.groupLimit < memory.total) {
        findings.add(Weight::Note, "memory-group",
                     "This program's group may use " + sizeText(*memory.groupLimit) + " of memory.",
                     "Raise the limit of the container or service if models do not fit.");
    }
    if (memory.process.addressSpace) {
        findings.add(Weight::Warning, "address-space",
                     "The address space is limited to " + sizeText(*memory.process.addressSpace) +
                         ", which mapped model files count against.",
                     "Remove the limit (ulimit -v unlimited).");
    }
    if (memory.process.locked && *memory.process.locked < kLowLockLimit) {
        findings.add(Weight::Note, "lock-limit",
                     "Only " + sizeText(*memory.process.locked) +
                         " of memory may be locked, so --mlock cannot hold a model.",
                     "Raise the limit (ulimit -l, or memlock in /etc/security/limits.conf).");
    }
}

void lookAtProcessor(const CpuFacts& cpu, Findings& findings) {
    if (cpu.tier == "baseline") {
        findings.add(Weight::Warning, "processor-old",
                     "This processor has none of the instructions that make models fast.",
                     "Expect few words in a second; small models are of most use here.");
    }
    if (cpu.share.quota && *cpu.share.quota < 1.0)
        findings.add(Weight::Warning, "processor-share",
                     "This program's group has less than the time of one processor.",
                     "Raise the limit of the container or service.");
}

void lookAtDisks(const std::vector<DiskFacts>& disks, Findings& findings) {
    std::set<std::string> told;
    for (const DiskFacts& disk : disks) {
        if (!told.insert(disk.kind.mountPoint).second) continue;
        if (disk.freeBytes < kLittleDisk)
            findings.add(Weight::Warning, "disk-full",
                         "Only " + sizeText(disk.freeBytes) + " are free where " + disk.path + " is.",
                         "Make room before adding models.");
        if (disk.kind.network)
            findings.add(Weight::Note, "disk-network",
                         disk.path + " is behind a network or belongs to the host of this machine.",
                         "Models load faster from a disk of this machine.");
    }
}

void lookAtDevices(const BackendCandidate& backend, Findings& findings) {
    for (const protocol::DeviceEntry& device : backend.devices) {
        const std::string subject = device.name + " (" + backend.entry.id + ")";
        if (!device.refusal.empty())
            findings.add(Weight::Problem, "device-refused", subject, device.refusal.front());
    }
}

void lookAtBackends(const SupportFacts& facts, Findings& findings) {
    if (facts.backendFault)
        findings.add(Weight::Problem, "no-probe", "Back ends could not be listed", *facts.backendFault);
    for (const BackendCandidate& backend : facts.backends) {
        const std::string subject = "Back end " + backend.entry.id;
        if (!backend.entry.refusal.empty()) {
            findings.add(Weight::Problem, "plugin-refused", subject, backend.entry.refusal.front());
        } else if (!backend.failure.empty()) {
            const Error& error = backend.failure.front();
            // A machine without a GPU is not broken.
            const bool noVulkan = error.code() == Errc::B720 || error.code() == Errc::B721;
            findings.add(noVulkan ? Weight::Note : Weight::Problem, noVulkan ? "no-vulkan" : "probe-failed",
                         subject, error);
        }
        lookAtDevices(backend, findings);
    }
}

void lookAtAdapters(const SupportFacts& facts, Findings& findings) {
    const bool probed =
        std::any_of(facts.backends.begin(), facts.backends.end(), [](const BackendCandidate& backend) {
            return std::any_of(backend.devices.begin(), backend.devices.end(),
                               [](const protocol::DeviceEntry& device) {
                                   return device.kind == protocol::DeviceClass::DiscreteGpu ||
                                          device.kind == protocol::DeviceClass::IntegratedGpu;
                               });
        });
    if (probed) return;
    for (const AdapterFacts& adapter : facts.hardware.adapters) {
        const std::string name = adapter.vendor.empty() ? "A graphics adapter" : adapter.vendor + " graphics";
        if (adapter.kernelDriver.empty())
            findings.add(Weight::Warning, "no-kernel-driver",
                         name + " (" + adapter.place + ") has no kernel driver.",
                         "Install the driver of its maker.");
        else if (!adapter.vendor.empty())
            findings.add(Weight::Note, "no-compute-driver",
                         name + " (" + adapter.place + ") is there, but no back end finds it.",
                         "Install its Vulkan driver if it is to compute.");
    }
}

void lookAtSandboxes(const std::vector<SandboxOutcome>& sandboxes, Findings& findings) {
    for (const SandboxOutcome& sandbox : sandboxes) {
        if (sandbox.fault) {
            findings.add(Weight::Problem, "no-worker", "Worker (" + sandbox.profile + ")", *sandbox.fault);
            continue;
        }
        if (!sandbox.facts) continue;
        const protocol::SandboxFacts& is = *sandbox.facts;
        const bool whole = is.seccomp && is.network && is.files && is.exec;
        std::string notes;
        for (const std::string& note : is.notes)
            notes += " " + note;
        if (!whole)
            findings.add(Weight::Warning, "sandbox",
                         "The sandbox of workers (" + sandbox.profile + ") is not enforced whole." + notes,
                         "Use a kernel with seccomp and Landlock, and a container that allows them.");
    }
}

void lookAtLoads(const std::vector<nlohmann::ordered_json>& loads, Findings& findings) {
    std::size_t failed = 0;
    std::string last;
    for (const auto& load : loads) {
        const auto result = load.find("result");
        if (result == load.end() || *result != "failed") continue;
        ++failed;
        const auto error = load.find("error");
        if (error == load.end() || !error->is_object()) continue;
        const auto message = error->find("message");
        if (message != error->end() && message->is_string()) last = message->get<std::string>();
    }
    if (failed == 0) return;
    findings.add(Weight::Warning, "loads-failed",
                 std::to_string(failed) + " of the last " + std::to_string(loads.size()) +
                     " loads of models failed. The last reason: " + last,
                 "The report has them all, with what to do.");
}

void lookAtPerformance(const Insights& insights, Findings& findings) {
    for (const Insight& insight : insights.sentences) {
        if (insight.weight != "warning") continue;
        findings.add(Weight::Warning, ("performance-" + insight.id).c_str(), insight.sentence,
                     insight.remedy);
    }
}

}  // namespace

std::string_view nameOf(Weight weight) {
    switch (weight) {
        case Weight::Problem: return "problem";
        case Weight::Warning: return "warning";
        case Weight::Note: return "note";
    }
    return {};
}

std::vector<Finding> findingsOf(const SupportFacts& facts) {
    Findings findings;
    lookAtBackends(facts, findings);
    lookAtAdapters(facts, findings);
    lookAtSandboxes(facts.sandboxes, findings);
    lookAtMemory(facts.hardware.memory, findings);
    lookAtProcessor(facts.hardware.cpu, findings);
    lookAtDisks(facts.hardware.disks, findings);
    lookAtLoads(facts.loads, findings);
    lookAtPerformance(facts.performance, findings);
    for (const std::string& variable : facts.overrides)
        findings.add(Weight::Note, "environment", "The environment says " + variable + ".",
                     "Unset it if you did not mean it.");
    return std::move(findings).sorted();
}

}  // namespace loader::app
