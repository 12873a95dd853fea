// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/cpu_facts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

namespace loader::app {
namespace {

struct Named {
    unsigned number;
    std::string_view name;
};

/// @source Arm architecture reference manual, MIDR_EL1.Implementer
constexpr Named kImplementers[] = {
    {0x41, "Arm"},       {0x42, "Broadcom"}, {0x43, "Cavium"},    {0x46, "Fujitsu"},
    {0x48, "HiSilicon"}, {0x4E, "NVIDIA"},   {0x50, "APM"},       {0x51, "Qualcomm"},
    {0x53, "Samsung"},   {0x61, "Apple"},    {0x6D, "Microsoft"}, {0xC0, "Ampere"},
};

/// Parts that Arm itself designed. @source the technical reference manuals, MIDR_EL1.PartNum
constexpr Named kArmParts[] = {
    {0xD03, "Cortex-A53"},  {0xD04, "Cortex-A35"},  {0xD05, "Cortex-A55"},  {0xD07, "Cortex-A57"},
    {0xD08, "Cortex-A72"},  {0xD09, "Cortex-A73"},  {0xD0A, "Cortex-A75"},  {0xD0B, "Cortex-A76"},
    {0xD0C, "Neoverse-N1"}, {0xD0D, "Cortex-A77"},  {0xD40, "Neoverse-V1"}, {0xD41, "Cortex-A78"},
    {0xD44, "Cortex-X1"},   {0xD46, "Cortex-A510"}, {0xD47, "Cortex-A710"}, {0xD48, "Cortex-X2"},
    {0xD49, "Neoverse-N2"}, {0xD4B, "Cortex-A78C"}, {0xD4D, "Cortex-A715"}, {0xD4E, "Cortex-X3"},
    {0xD4F, "Neoverse-V2"}, {0xD80, "Cortex-A520"}, {0xD81, "Cortex-A720"}, {0xD82, "Cortex-X4"},
};

template <std::size_t N>
std::string_view nameOf(unsigned number, const Named (&table)[N]) {
    for (const Named& row : table) {
        if (row.number == number) return row.name;
    }
    return {};
}

std::optional<unsigned> hexNumber(std::string_view text) {
    if (text.starts_with("0x")) text.remove_prefix(2);
    unsigned value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    static_cast<void>(end);
    return fault == std::errc() ? std::optional(value) : std::nullopt;
}

/// "AuthenticAMD" is what the processor says; people know it by another name.
std::string vendorOf(std::string_view told) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kNames = {{
        {"AuthenticAMD", "AMD"},
        {"GenuineIntel", "Intel"},
        {"HygonGenuine", "Hygon"},
        {"CentaurHauls", "Centaur"},
        {"  Shanghai  ", "Zhaoxin"},
    }};
    for (const auto& [id, name] : kNames) {
        if (trimmed(id) == told) return std::string(name);
    }
    return std::string(told);
}

/// One space where there were several: brands are padded.
std::string squeezed(std::string_view text) {
    std::string out;
    for (const char c : trimmed(text)) {
        if (c != ' ' || out.back() != ' ') out += c;
    }
    return out;
}

/// ARM tells numbers per processor, and there may be several kinds of core.
void readArmNames(std::string_view info, CpuFacts& facts) {
    std::vector<std::string> parts;
    std::string implementerText;
    while (!info.empty()) {
        const std::size_t end = info.find("\n\n");
        const std::string_view block = info.substr(0, end);
        info.remove_prefix(end == std::string_view::npos ? info.size() : end + 2);
        const auto implementer = hexNumber(valueOf(block, "CPU implementer", ':').value_or(""));
        const auto part = hexNumber(valueOf(block, "CPU part", ':').value_or(""));
        if (!implementer || !part) continue;
        facts.vendor = nameOf(*implementer, kImplementers);
        std::string name(*implementer == 0x41 ? nameOf(*part, kArmParts) : std::string_view());
        if (name.empty()) name = "part " + std::string(valueOf(block, "CPU part", ':').value_or(""));
        if (std::find(parts.begin(), parts.end(), name) == parts.end()) parts.push_back(name);
    }
    // The little cores are listed first.
    for (auto part = parts.rbegin(); part != parts.rend(); ++part)
        facts.model += (facts.model.empty() ? "" : " + ") + *part;
}

void readNames(const SystemText& system, const CpuAnswers& answers, CpuFacts& facts) {
    constexpr std::size_t kMostInfo = 2 * 1024 * 1024;
    const std::string info = system.text("/proc/cpuinfo", kMostInfo).value_or("");
    facts.vendor = vendorOf(valueOf(info, "vendor_id", ':').value_or(""));
    facts.model = squeezed(valueOf(info, "model name", ':').value_or(""));
    if (facts.vendor.empty()) readArmNames(info, facts);
    if (facts.model.empty()) facts.model = squeezed(answers.brand);
    facts.board = squeezed(system.line("/proc/device-tree/model").value_or(""));
}

/// "32K", "16384K", "32M".
std::uint64_t cacheBytes(std::string_view text) {
    const std::uint64_t number = std::min<std::uint64_t>(firstNumber(text).value_or(0), 1u << 30);
    if (text.ends_with('K')) return number << 10;
    if (text.ends_with('M')) return number << 20;
    return number;
}

std::string cacheKind(std::string_view told) {
    if (told == "Data") return "data";
    return told == "Instruction" ? "instruction" : "unified";
}

/// @source Linux Documentation/ABI/testing/sysfs-devices-system-cpu, cache
std::vector<CacheFacts> readCaches(const SystemText& system) {
    constexpr unsigned kMostPerProcessor = 16;
    const std::string base = "/sys/devices/system/cpu";
    // What the processors share has one list of them.
    std::set<std::tuple<unsigned, std::string, std::string>> seen;
    std::vector<CacheFacts> caches;
    for (const unsigned processor : numberList(system.line(base + "/online").value_or(""))) {
        for (unsigned index = 0; index < kMostPerProcessor; ++index) {
            const std::string folder =
                base + "/cpu" + std::to_string(processor) + "/cache/index" + std::to_string(index);
            const auto level = system.number(folder + "/level");
            if (!level) break;
            CacheFacts cache;
            cache.level = static_cast<unsigned>(std::min<std::uint64_t>(*level, 9));
            cache.kind = cacheKind(system.line(folder + "/type").value_or(""));
            cache.bytes = cacheBytes(system.line(folder + "/size").value_or(""));
            const std::string sharers =
                system.line(folder + "/shared_cpu_list").value_or(std::to_string(processor));
            cache.sharedBy = static_cast<unsigned>(numberList(sharers).size());
            if (cache.bytes == 0 || !seen.insert({cache.level, cache.kind, sharers}).second) continue;
            auto alike = std::find_if(caches.begin(), caches.end(), [&cache](const CacheFacts& other) {
                return std::tie(other.level, other.kind, other.bytes, other.sharedBy) ==
                       std::tie(cache.level, cache.kind, cache.bytes, cache.sharedBy);
            });
            if (alike == caches.end()) alike = caches.insert(alike, cache);
            ++alike->count;
        }
    }
    std::stable_sort(caches.begin(), caches.end(),
                     [](const CacheFacts& a, const CacheFacts& b) { return a.level < b.level; });
    return caches;
}

}  // namespace

CpuAnswers askCpu() {
    return {cpuFlags(), askX86().brand, allowedProcessors()};
}

CpuFacts readCpuFacts(const SystemText& system, const CpuAnswers& answers) {
    CpuFacts facts;
    readNames(system, answers, facts);
    facts.share = readCpuShare(system, answers.allowed);
    facts.layout = readCpuLayout(system);
    facts.flags = answers.flags;
    facts.tier = kernelTier(answers.flags);
    facts.caches = readCaches(system);
    return facts;
}

std::uint64_t lastLevelCacheBytes(const CpuFacts& facts) {
    std::uint64_t bytes = 0;
    for (const CacheFacts& cache : facts.caches) {
        if (cache.level == facts.caches.back().level && cache.kind != "instruction")
            bytes += cache.bytes * cache.count;
    }
    return bytes;
}

}  // namespace loader::app
