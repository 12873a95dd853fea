// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/vulkan_faults/layer_state.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <shared_mutex>
#include <thread>
#include <unordered_map>

namespace loader::test {
namespace {

template <class T>
class Table {
public:
    std::shared_ptr<T> find(const void* handle) const {
        const std::shared_lock guard(m_lock);
        const auto found = m_states.find(keyOf(handle));
        return found == m_states.end() ? nullptr : found->second;
    }
    void add(std::shared_ptr<T> state) {
        const std::unique_lock guard(m_lock);
        void* key = keyOf(state->handle);
        m_states[key] = std::move(state);
    }
    void remove(const void* handle) {
        const std::unique_lock guard(m_lock);
        m_states.erase(keyOf(handle));
    }

private:
    mutable std::shared_mutex m_lock;
    std::unordered_map<void*, std::shared_ptr<T>> m_states;
};

/// Never destroyed: drivers call until the very end of a process.
Table<InstanceState>& instances() {
    static auto* table = new Table<InstanceState>();
    return *table;
}
Table<DeviceState>& devices() {
    static auto* table = new Table<DeviceState>();
    return *table;
}

struct Current {
    std::mutex lock;
    std::shared_ptr<const FaultScript> script;
    std::atomic<std::uint64_t> ruleCalls[kMostRules] = {};
};

Current& current() {
    static auto* state = new Current();
    return *state;
}

std::shared_ptr<const FaultScript> readScript(const char* text) {
    auto script = std::make_shared<FaultScript>();
    const std::string fault = FaultScript::read(text, *script);
    if (fault.empty()) return script;
    std::fprintf(stderr, "LOADER_VULKAN_FAULTS: %s\n", fault.c_str());
    std::abort();
}

FaultRecord* openRecord() {
    const char* path = std::getenv("LOADER_VULKAN_COUNTS");
    if (path == nullptr || *path == '\0') return new FaultRecord();
    FaultRecord* mapped = mapFaultRecord(path);
    if (mapped == nullptr) {
        std::fprintf(stderr, "LOADER_VULKAN_COUNTS: %s cannot be mapped\n", path);
        std::abort();
    }
    mapped->processes.fetch_add(1);
    return mapped;
}

constexpr bool kLoses[] = {
#define LOADER_FAULT_INSTANCE(name) false,
#define LOADER_FAULT_DEVICE(name, objects, loses) loses,
#include "tests/support/vulkan_faults/fault_functions.inc"
};

void apply(const FaultRule& rule, DeviceState* device, Verdict& verdict) {
    switch (rule.action) {
        case FaultAction::Answer:
            verdict.answers = true;
            verdict.result = rule.result;
            if (rule.result == VK_ERROR_DEVICE_LOST && device != nullptr) device->lost = true;
            break;
        case FaultAction::Hang:
            if (device != nullptr) {
                device->hung = true;
                break;
            }
            while (true)
                std::this_thread::sleep_for(std::chrono::hours(1));
        case FaultAction::Crash: std::raise(SIGSEGV); break;
        case FaultAction::Wait:
            std::this_thread::sleep_for(std::chrono::milliseconds(rule.milliseconds));
            break;
        case FaultAction::Skip: verdict.skip = true; break;
        case FaultAction::None: verdict.none = true; break;
    }
}

}  // namespace

std::shared_ptr<InstanceState> instanceOf(const void* handle) {
    return instances().find(handle);
}
std::shared_ptr<DeviceState> deviceOf(const void* handle) {
    return devices().find(handle);
}
void addInstance(std::shared_ptr<InstanceState> state) {
    instances().add(std::move(state));
}
void addDevice(std::shared_ptr<DeviceState> state) {
    devices().add(std::move(state));
}
void removeInstance(const void* handle) {
    instances().remove(handle);
}
void removeDevice(const void* handle) {
    devices().remove(handle);
}

std::shared_ptr<const FaultScript> currentScript() {
    Current& now = current();
    const std::lock_guard guard(now.lock);
    if (!now.script) {
        const char* text = std::getenv("LOADER_VULKAN_FAULTS");
        now.script = readScript(text != nullptr ? text : "");
    }
    return now.script;
}

void setScript(const char* text) {
    Current& now = current();
    const std::lock_guard guard(now.lock);
    now.script = readScript(text);
    for (auto& calls : now.ruleCalls)
        calls = 0;
}

FaultRecord& record() {
    static FaultRecord* opened = openRecord();
    return *opened;
}

void violation(const std::string& text) {
    if (record().violations.fetch_add(1) != 0) return;
    std::strncpy(record().firstViolation, text.c_str(), sizeof(FaultRecord::firstViolation) - 1);
}

Verdict judge(FaultFunction function, DeviceState* device) {
    const auto index = static_cast<std::size_t>(function);
    record().calls[index].fetch_add(1);
    const auto script = currentScript();
    Verdict verdict;
    const bool counts = !script->countsWhenArmed || record().armed.load() != 0;
    for (std::size_t i = 0; counts && i < script->rules.size(); ++i) {
        const FaultRule& rule = script->rules[i];
        if (rule.function != function) continue;
        auto& counter = rule.allProcesses ? record().ruleCalls[i] : current().ruleCalls[i];
        const std::uint64_t call = counter.fetch_add(1) + 1;
        if (call != rule.call && !(rule.andLater && call > rule.call)) continue;
        record().fired.fetch_add(1);
        apply(rule, device, verdict);
    }
    if (device != nullptr && device->lost.load() && kLoses[index]) {
        verdict.answers = true;
        verdict.result = VK_ERROR_DEVICE_LOST;
    }
    return verdict;
}

VkResult hangFor(DeviceState& device, std::uint64_t nanoseconds) {
    const std::uint64_t given = currentScript()->hangMilliseconds;
    const std::uint64_t asked = nanoseconds / 1'000'000;
    if (asked <= given && nanoseconds != ~std::uint64_t{0}) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(nanoseconds));
        return VK_TIMEOUT;
    }
    while (given == ~std::uint64_t{0})
        std::this_thread::sleep_for(std::chrono::hours(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(given));
    device.lost = true;
    return VK_ERROR_DEVICE_LOST;
}

}  // namespace loader::test
