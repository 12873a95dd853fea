// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/backend_manager/chain.h"

#include <algorithm>

namespace loader::app {
namespace {

using protocol::DeviceClass;
using protocol::GpuLayers;

constexpr const char* kProcessor = "cpu";
constexpr std::size_t kLossesAllowed = 3;
constexpr auto kLossWindow = std::chrono::minutes(10);
constexpr auto kForgiven = std::chrono::minutes(30);

bool isGpu(const protocol::DeviceEntry& device) {
    return device.kind == DeviceClass::DiscreteGpu || device.kind == DeviceClass::IntegratedGpu;
}

/// Discrete before integrated; what a program only pretends to be is never chosen by itself.
int rankOf(const protocol::DeviceEntry& device) {
    return device.kind == DeviceClass::DiscreteGpu ? 0 : 1;
}

void addDevices(const protocol::LoadRequest& request, const BackendCandidate& backend, bool named,
                std::vector<Link>& chain, std::vector<protocol::LoadStep>& passedOver) {
    std::vector<const protocol::DeviceEntry*> usable;
    const auto leaveOut = [&](const std::string& device, const std::string& reason) {
        passedOver.push_back({backend.entry.id, device, 0, "refused", reason});
    };
    for (const protocol::DeviceEntry& device : backend.devices) {
        if (!request.device.empty() && device.id != request.device) continue;
        if (!device.refusal.empty()) {
            leaveOut(device.id, device.refusal.front().toString());
        } else if (!isGpu(device) && !named) {
            leaveOut(device.id, "it is no GPU; it is used only when it is named");
        } else if (isGpu(device) && request.gpuLayers.none()) {
            leaveOut(device.id, "no layers may go to a GPU");
        } else {
            usable.push_back(&device);
        }
    }
    std::stable_sort(usable.begin(), usable.end(),
                     [](const auto* a, const auto* b) { return rankOf(*a) < rankOf(*b); });
    for (const protocol::DeviceEntry* device : usable)
        chain.push_back({backend.entry.id, device->id, request.gpuLayers,
                         isGpu(*device) || backend.entry.gpuOnly, device->selfTested});
}

/// Where an id stands in the order; behind all others where it does not.
std::size_t placeOf(const std::string& id, const ChainPolicy& policy) {
    if (id == policy.preferred) return 0;
    const auto found = std::find(policy.order.begin(), policy.order.end(), id);
    return static_cast<std::size_t>(found - policy.order.begin()) + 1;
}

/// Back ends that are tried, best first, without the processor.
std::vector<const BackendCandidate*> candidatesFor(const protocol::LoadRequest& request,
                                                   std::span<const BackendCandidate> backends,
                                                   const ChainPolicy& policy,
                                                   std::vector<protocol::LoadStep>& passedOver) {
    const bool automatic = request.backend == "auto";
    const std::size_t end = placeOf(kProcessor, policy);
    const bool processorIsPlaced = end <= policy.order.size();
    std::vector<const BackendCandidate*> candidates;
    bool preferredIsThere = policy.preferred.empty();
    for (const BackendCandidate& backend : backends) {
        const std::string& id = backend.entry.id;
        const bool preferred = automatic && id == policy.preferred;
        preferredIsThere = preferredIsThere || preferred;
        const bool wanted =
            automatic ? preferred || (backend.entry.automatic && id != kProcessor) : id == request.backend;
        if (!wanted) continue;
        if (automatic && processorIsPlaced && placeOf(id, policy) > end) {
            passedOver.push_back(
                {id, "", 0, "refused", "the order of back ends has the processor before it"});
            continue;
        }
        candidates.push_back(&backend);
    }
    if (automatic && !preferredIsThere)
        passedOver.push_back({policy.preferred, "", 0, "refused", "there is no back end of this name"});
    std::stable_sort(candidates.begin(), candidates.end(), [&](const auto* a, const auto* b) {
        const std::size_t first = automatic ? placeOf(a->entry.id, policy) : 0;
        const std::size_t second = automatic ? placeOf(b->entry.id, policy) : 0;
        return first != second ? first < second : a->entry.priority > b->entry.priority;
    });
    return candidates;
}

void keepFirst(std::vector<Link>& chain, std::vector<protocol::LoadStep>& passedOver) {
    for (std::size_t i = 1; i < chain.size(); ++i)
        passedOver.push_back({chain[i].backend, chain[i].device, 0, "refused",
                              "other back ends are not tried: load.fallback is off"});
    chain.resize(std::min<std::size_t>(chain.size(), 1));
}

}  // namespace

std::string_view nameOf(BackendState state) {
    switch (state) {
        case BackendState::Found: return "found";
        case BackendState::Compatible: return "compatible";
        case BackendState::Probed: return "probed";
        case BackendState::Loaded: return "loaded";
        case BackendState::Running: return "running";
    }
    return {};
}

bool Link::operator==(const Link& other) const {
    return backend == other.backend && device == other.device && gpuLayers.kind == other.gpuLayers.kind &&
           gpuLayers.number == other.gpuLayers.number;
}

std::string Link::words() const {
    std::string text = backend;
    if (!device.empty() && device != backend) text += " on " + device;
    if (gpu && gpuLayers.kind == GpuLayers::Kind::Number)
        text += ", " + std::to_string(gpuLayers.number) + " layers";
    return text;
}

std::vector<Link> makeChain(const protocol::LoadRequest& request, std::span<const BackendCandidate> backends,
                            std::vector<protocol::LoadStep>& passedOver, const ChainPolicy& policy) {
    if (request.backend == kProcessor) return {{kProcessor, request.device, request.gpuLayers, false}};
    const bool automatic = request.backend == "auto";
    std::vector<Link> chain;
    for (const BackendCandidate* backend : candidatesFor(request, backends, policy, passedOver)) {
        std::string reason;
        if (!backend->entry.refusal.empty()) reason = backend->entry.refusal.front().toString();
        if (reason.empty() && !backend->failure.empty()) reason = backend->failure.front().toString();
        const bool named = !automatic || backend->entry.id == policy.preferred;
        if (!reason.empty())
            passedOver.push_back({backend->entry.id, "", 0, "refused", reason});
        else
            addDevices(request, *backend, named, chain, passedOver);
    }
    // A back end that was named and has nothing to offer is the user's to hear of, not replaced in silence.
    if (automatic) chain.push_back({kProcessor, "", request.gpuLayers, false});
    if (automatic && !policy.fallback) keepFirst(chain, passedOver);
    return chain;
}

Recovery recoveryFrom(const Error& error, std::size_t failures) {
    switch (error.kind()) {
        case ErrorKind::DeviceLost:
            if (error.code() == Errc::B709) return Recovery::Next;
            return failures < 2 ? Recovery::Same : Recovery::Next;
        case ErrorKind::Driver: return failures < 2 ? Recovery::Same : Recovery::Next;
        case ErrorKind::OutOfMemory:
            // A conversation that is too long for the context is too long on every link.
            return error.code() == Errc::R902 ? Recovery::GiveUp : Recovery::Next;
        case ErrorKind::Unsupported:
        case ErrorKind::SelfTestMismatch:
        case ErrorKind::VersionMismatch: return Recovery::Next;
        case ErrorKind::NotFound: {
            // A driver or device that was there when it was probed; a file is missing on every link.
            const Errc code = error.code();
            const bool ofLink = code == Errc::B701 || code == Errc::B720 || code == Errc::B721;
            return ofLink ? Recovery::Next : Recovery::GiveUp;
        }
        case ErrorKind::CorruptData:
            // Numbers that are none may be the device's fault; of the file's, the next link will say the
            // same.
            if (error.code() == Errc::B707 || error.code() == Errc::M132) return Recovery::Next;
            // A worker whose memory was overwritten talks nonsense; a damaged file is damaged everywhere.
            if (error.code() != Errc::W601 && error.code() != Errc::W607) return Recovery::GiveUp;
            return failures < 2 ? Recovery::Same : Recovery::Next;
        default: return Recovery::GiveUp;
    }
}

void LossRecord::note(const Link& link, Clock::time_point when) {
    // Losses before a quiet half hour count no more.
    std::erase_if(m_losses, [&](const Loss& loss) { return when - loss.when > kForgiven; });
    m_losses.push_back({link, when});
}

bool LossRecord::tooOften(const Link& link, Clock::time_point now) const {
    if (!link.gpu) return false;
    const auto recent = std::count_if(m_losses.begin(), m_losses.end(), [&](const Loss& loss) {
        return loss.link == link && now - loss.when < kLossWindow;
    });
    return static_cast<std::size_t>(recent) >= kLossesAllowed;
}

}  // namespace loader::app
