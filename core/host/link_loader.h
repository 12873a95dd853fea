// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Tries one link of the chain: a back end, one of its devices, and how many layers that device takes. The
// layers in front of those, if any, go to another back end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/api/backend.h"
#include "core/host/backend_registry.h"
#include "core/host/self_test.h"
#include "core/protocol/load_report.h"

namespace loader::host {

using protocol::GpuLayers;
using protocol::kDefaultContextTokens;
using protocol::LoadReport;
using protocol::LoadRequest;

/// A device that computes on this machine's processor and in its memory.
bool isProcessor(const backend::DeviceFacts& device);

struct ChainLink {
    backend::Backend* backend = nullptr;
    backend::DeviceFacts device;
    /// Layers that the device takes; as many as the model has, or more, is all of it.
    std::uint32_t layers = 0;
};

struct LoadedLink {
    std::unique_ptr<backend::Model> model;
    std::unique_ptr<backend::Session> session;
    /// Layers that the device took; 0 where the whole model is on a processor.
    std::uint32_t gpuLayers = 0;
    /// The back end of the layers in front; empty where the device has all.
    std::string splitWith;
    std::uint64_t estimatedBytes = 0;
    std::optional<SelfTestReport> selfTest;
};

/// @thread confined to one thread. What it refers to must outlive it and what it loads.
class LinkLoader {
public:
    LinkLoader(const graph::Program& program, backend::Weights weights, const LoadRequest& request,
               std::uint32_t contextTokens, BackendRegistry& registry)
        : m_program(program),
          m_weights(weights),
          m_request(request),
          m_contextTokens(contextTokens),
          m_registry(registry) {}

    /// How many layers a device takes by the request. A number below all divides the model on a graphics
    /// processor, and on any other device where the request names both its back end and the one of the
    /// other layers.
    std::uint32_t layersFor(const backend::DeviceFacts& device) const;
    /// Whether a back end can run the program on any device; asked before its drivers are loaded.
    /// @errors B702
    Status checkBackend(backend::Backend& backend) const;
    /// Plans, compares with the memory there is, tests the device, loads and opens a session.
    /// @errors B701 … B707; M140, R901 memory; X002
    Result<LoadedLink> load(const ChainLink& link, backend::Progress* progress, CancelToken cancel);
    /// The next number of layers to try after memory did not suffice: what fits by the plan, or half of
    /// them. 0: none is left.
    std::uint32_t fewerLayers(const ChainLink& failed);

private:
    struct Part {
        backend::Backend* backend = nullptr;
        backend::DeviceFacts device;
        std::vector<std::uint32_t> segments;
        backend::MemoryParts needed;
    };
    backend::LoadOptions options() const;
    Result<std::vector<Part>> place(const ChainLink& link);
    Status plan(Part& part) const;
    Status checkMemory(const std::vector<Part>& parts) const;
    std::uint32_t largestContext(const std::vector<Part>& parts, std::uint64_t available) const;
    std::uint64_t estimate(const std::vector<Part>& parts) const;
    Result<std::unique_ptr<backend::Model>> loadParts(const std::vector<Part>& parts,
                                                      backend::Progress* progress, CancelToken cancel);

    const graph::Program& m_program;
    backend::Weights m_weights;
    const LoadRequest& m_request;
    std::uint32_t m_contextTokens;
    BackendRegistry& m_registry;
};

}  // namespace loader::host
