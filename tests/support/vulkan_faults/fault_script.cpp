// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/vulkan_faults/fault_script.h"

#include <algorithm>
#include <charconv>

namespace loader::test {
namespace {

constexpr std::string_view kFunctionNames[] = {
#define LOADER_FAULT_INSTANCE(name) "vk" #name,
#define LOADER_FAULT_DEVICE(name, objects, loses) "vk" #name,
#include "tests/support/vulkan_faults/fault_functions.inc"
};

constexpr std::string_view kLimits[] = {
#define LOADER_FAULT_LIMIT(name, structureType, Structure, member) #name,
#include "tests/support/vulkan_faults/limits.inc"
};
constexpr std::string_view kFeatures[] = {
#define LOADER_FAULT_FEATURE(structureType, Structure, member) #member,
#include "tests/support/vulkan_faults/features.inc"
};

/// A name that is mistyped would make a fault that never happens.
template <class List>
bool isIn(const List& list, std::string_view name) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

struct NamedResult {
    std::string_view name;
    VkResult result;
};
constexpr NamedResult kResults[] = {
    {"NOT_READY", VK_NOT_READY},
    {"TIMEOUT", VK_TIMEOUT},
    {"OUT_OF_HOST_MEMORY", VK_ERROR_OUT_OF_HOST_MEMORY},
    {"OUT_OF_DEVICE_MEMORY", VK_ERROR_OUT_OF_DEVICE_MEMORY},
    {"INITIALIZATION_FAILED", VK_ERROR_INITIALIZATION_FAILED},
    {"DEVICE_LOST", VK_ERROR_DEVICE_LOST},
    {"MEMORY_MAP_FAILED", VK_ERROR_MEMORY_MAP_FAILED},
    {"EXTENSION_NOT_PRESENT", VK_ERROR_EXTENSION_NOT_PRESENT},
    {"FEATURE_NOT_PRESENT", VK_ERROR_FEATURE_NOT_PRESENT},
    {"INCOMPATIBLE_DRIVER", VK_ERROR_INCOMPATIBLE_DRIVER},
    {"TOO_MANY_OBJECTS", VK_ERROR_TOO_MANY_OBJECTS},
    {"FRAGMENTED_POOL", VK_ERROR_FRAGMENTED_POOL},
    {"OUT_OF_POOL_MEMORY", VK_ERROR_OUT_OF_POOL_MEMORY},
    {"UNKNOWN", VK_ERROR_UNKNOWN},
    {"INVALID_SHADER", VK_ERROR_INVALID_SHADER_NV},
};

constexpr std::pair<std::string_view, VkPhysicalDeviceType> kTypes[] = {
    {"discrete", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU},
    {"integrated", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU},
    {"virtual", VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU},
    {"cpu", VK_PHYSICAL_DEVICE_TYPE_CPU}};

constexpr std::pair<std::string_view, MemoryLie> kMemories[] = {
    {"card", MemoryLie::Card}, {"window", MemoryLie::Window}, {"incoherent", MemoryLie::Incoherent}};

template <class T>
bool number(std::string_view text, T& out) {
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), out);
    return fault == std::errc() && end == text.data() + text.size();
}

template <class T>
bool number(std::string_view text, std::optional<T>& out) {
    T value{};
    if (!number(text, value)) return false;
    out = value;
    return true;
}

template <class Table, class T>
bool named(const Table& table, std::string_view text, T& out) {
    for (const auto& [name, value] : table) {
        if (name != text) continue;
        out = value;
        return true;
    }
    return false;
}

bool readAction(std::string_view text, FaultRule& rule) {
    constexpr std::string_view kWait = "wait:";
    if (text == "hang") {
        rule.action = FaultAction::Hang;
    } else if (text == "crash") {
        rule.action = FaultAction::Crash;
    } else if (text == "skip") {
        rule.action = FaultAction::Skip;
    } else if (text == "none") {
        rule.action = FaultAction::None;
    } else if (text.starts_with(kWait)) {
        rule.action = FaultAction::Wait;
        return number(text.substr(kWait.size()), rule.milliseconds);
    } else {
        return named(kResults, text, rule.result);
    }
    return true;
}

bool readRule(std::string_view key, std::string_view value, FaultScript& out) {
    FaultRule rule;
    const std::size_t mark = key.find_first_of("@#");
    if (mark == std::string_view::npos || out.rules.size() == kMostRules) return false;
    rule.function = faultFunctionFromName(key.substr(0, mark));
    rule.allProcesses = key[mark] == '#';
    std::string_view count = key.substr(mark + 1);
    if (count.ends_with('+')) {
        rule.andLater = true;
        count.remove_suffix(1);
    }
    const bool good = rule.function != FaultFunction::Count && number(count, rule.call) && rule.call != 0;
    if (!good || !readAction(value, rule)) return false;
    out.rules.push_back(rule);
    return true;
}

bool readVersion(std::string_view text, std::optional<std::uint32_t>& out) {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    const std::size_t point = text.find('.');
    if (point == std::string_view::npos || !number(text.substr(0, point), major) ||
        !number(text.substr(point + 1), minor))
        return false;
    out = VK_MAKE_API_VERSION(0, major, minor, 0);
    return true;
}

bool readHidden(std::string_view text, std::set<std::string, std::less<>>& out) {
    if (!text.starts_with('-') || text.size() < 2) return false;
    out.emplace(text.substr(1));
    return true;
}

bool readPart(std::string_view key, std::string_view value, FaultScript& out) {
    constexpr std::string_view kLimit = "limit.";
    if (key.starts_with("vk")) return readRule(key, value, out);
    if (key.starts_with(kLimit)) {
        const std::string_view limit = key.substr(kLimit.size());
        return isIn(kLimits, limit) && number(value, out.limits[std::string(limit)]);
    }
    if (key == "feature") return readHidden(value, out.hiddenFeatures) && isIn(kFeatures, value.substr(1));
    if (key == "extension") return readHidden(value, out.hiddenExtensions);
    if (key == "api") return readVersion(value, out.apiVersion);
    if (key == "subgroup") return number(value, out.subgroup);
    if (key == "budget") return number(value, out.budgetPercent);
    if (key == "heap") return number(value, out.heapBytes);
    if (key == "hang-ms") return number(value, out.hangMilliseconds);
    if (key == "memory") return named(kMemories, value, out.memory);
    if (key == "after") return out.countsWhenArmed = value == "armed";
    if (key == "library") return out.oldLibrary = value == "1.0";
    if (key == "dirty") return out.dirty = value == "yes";
    if (key == "subgroup-arithmetic") return out.hidesSubgroupArithmetic = value == "no";
    if (key != "type") return false;
    VkPhysicalDeviceType type{};
    const bool known = named(kTypes, value, type);
    out.type = type;
    return known;
}

}  // namespace

FaultFunction faultFunctionFromName(std::string_view name) {
    for (std::size_t i = 0; i < kFaultFunctions; ++i) {
        if (kFunctionNames[i] == name) return static_cast<FaultFunction>(i);
    }
    return FaultFunction::Count;
}

std::string FaultScript::read(std::string_view text, FaultScript& out) {
    out = {};
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(';'));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        if (part.empty()) continue;
        const std::size_t mark = part.find('=');
        if (mark == std::string_view::npos || !readPart(part.substr(0, mark), part.substr(mark + 1), out))
            return "the part \"" + std::string(part) + "\" is not understood";
    }
    return {};
}

}  // namespace loader::test
