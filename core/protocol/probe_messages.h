// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a probe is asked and what it answers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/protocol/model_facts.h"
#include "core/protocol/wire.h"

namespace loader::protocol {

/// Descriptions of all plugins, without loading one.
struct ListBackends {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&) {}
};

struct BackendEntry {
    std::string id;
    std::string displayName;
    /// Empty for the one that is linked in.
    std::string path;
    std::int32_t priority = 0;
    bool automatic = false;
    /// Its devices are reached through drivers, whatever kind they are: a worker for it gets the profile that
    /// lets drivers in.
    bool gpuOnly = false;
    /// Why it cannot be used: at most one.
    std::vector<Error> refusal;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.id);
        visit(self.displayName);
        visit(self.path);
        visit(self.priority);
        visit(self.automatic);
        visit(self.gpuOnly);
        visit(self.refusal);
    }
};

struct BackendList {
    std::vector<BackendEntry> backends;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.backends);
    }
};

/// Loads one back end and asks for its devices.
struct ProbeBackend {
    std::string id;
    /// Computes a little on every GPU and compares.
    bool selfTest = false;
    /// Only this device; empty: all.
    std::string device;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.id);
        visit(self.selfTest);
        visit(self.device);
    }
};

/// As backend::DeviceKind.
enum class DeviceClass : std::uint8_t { Cpu, IntegratedGpu, DiscreteGpu, Virtual };
template <>
struct LastOf<DeviceClass> {
    static constexpr auto value = DeviceClass::Virtual;
};

struct DeviceProperty {
    std::string name;
    std::string value;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.name);
        visit(self.value);
    }
};

struct DeviceEntry {
    std::string id;
    std::string name;
    std::string detail;
    DeviceClass kind = DeviceClass::Cpu;
    std::uint64_t memoryBytes = 0;
    std::uint64_t freeBytes = 0;
    std::vector<DeviceProperty> properties;
    /// Why it must not be used: at most one (B705 where the self-test failed).
    std::vector<Error> refusal;
    /// It computed what the processor computes, for every type of weights that it takes.
    bool selfTested = false;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.id);
        visit(self.name);
        visit(self.detail);
        visit(self.kind);
        visit(self.memoryBytes);
        visit(self.freeBytes);
        visit(self.properties);
        visit(self.refusal);
        visit(self.selfTested);
    }
};

/// The parts of a model come as read-only descriptors in the order of these names.
struct ReadHeader {
    std::vector<std::string> parts;
    /// Overrides general.architecture where not empty.
    std::string architecture;
    std::string tier;
    /// Whose plans are asked for; loaded by Hello.
    std::vector<std::string> backends;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.parts);
        visit(self.architecture);
        visit(self.tier);
        visit(self.backends);
    }
};

struct HeaderFacts {
    ModelFacts facts;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.facts);
    }
};

struct DeviceList {
    std::vector<DeviceEntry> devices;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.devices);
    }
};

}  // namespace loader::protocol
