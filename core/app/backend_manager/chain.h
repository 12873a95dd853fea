// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The ordered links that a model may run on, and what to do when one of them fails. Data and decisions only:
// nothing here starts a process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/error.h"
#include "core/protocol/load_report.h"
#include "core/protocol/probe_messages.h"

namespace loader::app {

/// One way to run a model.
struct Link {
    std::string backend;
    /// Empty: the first device of the back end that can.
    std::string device;
    protocol::GpuLayers gpuLayers;
    /// The driver of a device is involved: the worker gets the profile that lets it reach the device.
    bool gpu = false;
    /// The device passed its test when it was probed.
    bool selfTested = false;

    bool operator==(const Link& other) const;
    /// "vulkan on GPU 0, 12 layers", for reports.
    std::string words() const;
};

enum class BackendState : std::uint8_t {
    /// There, but refused: entry.refusal says why.
    Found,
    /// Its description fits this program; not probed, or the probe failed.
    Compatible,
    /// Its devices are known.
    Probed,
    /// Of a ModelHost: a model is on it, and it computes.
    Loaded,
    Running,
};
/// "found", "compatible", "probed", "loaded" or "running".
std::string_view nameOf(BackendState state);

/// A back end and the devices that its probe found; none where it was not probed.
struct BackendCandidate {
    protocol::BackendEntry entry;
    std::vector<protocol::DeviceEntry> devices;
    /// Why the probe failed: at most one.
    std::vector<Error> failure;
    BackendState state = BackendState::Found;
    /// Not asked now: the drivers are those of an earlier probe.
    bool remembered = false;
};

/// What the user wants of the chain. Only where the request says auto.
struct ChainPolicy {
    /// Whether another link follows one that failed.
    bool fallback = true;
    /// Ids in the order in which they are tried, before all others, which are tried fastest first. Where the
    /// processor is among them, nothing is tried that is not in front of it.
    std::vector<std::string> order;
    /// Tried before all others, also where it is never chosen by itself; empty for none.
    std::string preferred;
};

/// The chain for a request, best first; the processor is the last link unless another back end was named.
/// @param passedOver gets one failed step for each back end or device that is left out, with the reason
std::vector<Link> makeChain(const protocol::LoadRequest& request, std::span<const BackendCandidate> backends,
                            std::vector<protocol::LoadStep>& passedOver, const ChainPolicy& policy = {});

/// What follows a failure.
enum class Recovery : std::uint8_t {
    /// Once more on the same link.
    Same,
    /// On the next one.
    Next,
    /// It would fail everywhere: tell the user.
    GiveUp,
};

/// @param failures on this link, for this request, this one included
Recovery recoveryFrom(const Error& error, std::size_t failures);

/// Which links were lost too often: three times in ten minutes. One loss is forgiven in half an hour without
/// another. The processor is never given up. @thread confined to one thread
class LossRecord {
public:
    using Clock = std::chrono::steady_clock;
    void note(const Link& link, Clock::time_point when);
    bool tooOften(const Link& link, Clock::time_point now) const;

private:
    struct Loss {
        Link link;
        Clock::time_point when;
    };
    std::vector<Loss> m_losses;
};

}  // namespace loader::app
