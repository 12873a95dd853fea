// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The faulty Vulkan library inside of a test's own process.
#pragma once

#include <dlfcn.h>

#include <string>

#include "tests/support/vulkan_faults/fault_record.h"

namespace loader::test {

/// Misbehaves as the text says until it ends; counts from its beginning.
/// @thread confined; nothing of Vulkan may run while it begins or ends
class VulkanFaults {
public:
    static constexpr const char* kLibrary = LOADER_FAULTS_LIBRARY;

    explicit VulkanFaults(const std::string& text = {})
        : m_library(::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL)) {
        const auto find = [this](const char* name) { return ::dlsym(m_library, name); };
        m_set = reinterpret_cast<void (*)(const char*)>(find("loaderFaultsSet"));
        m_record = reinterpret_cast<FaultRecord* (*)()>(find("loaderFaultsRecord"))();
        m_objects = m_record->objects;
        m_fired = m_record->fired;
        m_violations = m_record->violations;
        m_record->armed = 0;
        for (std::size_t i = 0; i < kFaultFunctions; ++i)
            m_calls[i] = m_record->calls[i];
        set(text);
    }
    ~VulkanFaults() { set({}); }
    VulkanFaults(const VulkanFaults&) = delete;
    VulkanFaults& operator=(const VulkanFaults&) = delete;

    void set(const std::string& text) { m_set(text.c_str()); }
    void arm() { m_record->armed = 1; }
    std::uint64_t calls(FaultFunction function) const {
        return m_record->callsOf(function) - m_calls[static_cast<std::size_t>(function)];
    }
    /// Objects of devices that were made since and not destroyed.
    std::int64_t objects() const { return m_record->objects - m_objects; }
    std::uint64_t fired() const { return m_record->fired - m_fired; }
    /// What was done against the limits that were told; empty where nothing was.
    std::string violation() const {
        return m_record->violations == m_violations ? "" : m_record->firstViolation;
    }

private:
    void* m_library;
    void (*m_set)(const char*) = nullptr;
    FaultRecord* m_record = nullptr;
    std::uint64_t m_calls[kFaultFunctions] = {};
    std::int64_t m_objects = 0;
    std::uint64_t m_fired = 0;
    std::uint32_t m_violations = 0;
};

}  // namespace loader::test
