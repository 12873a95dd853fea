// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/link_loader.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/engine/base/memory_facts.h"
#include "core/host/split_model.h"

namespace loader::host {
namespace {

constexpr const char* kProcessorBackend = "cpu";

std::uint64_t withoutWeights(const backend::MemoryParts& needed) {
    return needed.kv + needed.compute + needed.output;
}

/// What a device may take; 0 where it does not tell.
std::uint64_t memoryOf(const backend::DeviceFacts& device) {
    return device.freeBytes != 0 ? device.freeBytes : device.memoryBytes;
}

/// Several loads as one.
class PartProgress final : public backend::Progress {
public:
    PartProgress(backend::Progress* whole, std::uint64_t totalBytes) : m_whole(whole), m_total(totalBytes) {}

    void begin(std::uint64_t bytes) {
        m_done += m_part;
        m_part = bytes;
    }
    void report(std::uint64_t done, std::uint64_t total) override {
        if (!m_whole || total == 0) return;
        const double share = static_cast<double>(done) / static_cast<double>(total);
        m_whole->report(m_done + static_cast<std::uint64_t>(share * static_cast<double>(m_part)), m_total);
    }

private:
    backend::Progress* m_whole;
    std::uint64_t m_total;
    std::uint64_t m_done = 0;
    std::uint64_t m_part = 0;
};

}  // namespace

bool isProcessor(const backend::DeviceFacts& device) {
    return device.kind == backend::DeviceKind::Cpu || device.kind == backend::DeviceKind::Virtual;
}

std::uint32_t LinkLoader::layersFor(const backend::DeviceFacts& device) const {
    const GpuLayers& wish = m_request.gpuLayers;
    const bool named = m_request.backend != "auto" && !m_request.splitWith.empty();
    const bool divides = !isProcessor(device) || (named && !wish.none());
    if (!divides || wish.kind != GpuLayers::Kind::Number) return m_program.layers;
    return std::min(wish.number, m_program.layers);
}

backend::LoadOptions LinkLoader::options() const {
    backend::LoadOptions options;
    options.threads = m_request.threads;
    options.batchTokens = m_request.batchTokens;
    options.contextTokens = m_contextTokens;
    options.sequences = m_request.sequences;
    options.kv = m_request.kv;
    options.tier = m_request.tier;
    return options;
}

Status LinkLoader::checkBackend(backend::Backend& backend) const {
    std::vector<std::uint32_t> segments(m_program.segments.size());
    std::iota(segments.begin(), segments.end(), 0u);
    LOADER_TRY(const backend::PlanReport report, backend.plan(m_program, segments, "", options()));
    if (!report.unsupported.empty()) return Error(Errc::B702, {backend.id(), report.unsupported.front()});
    return {};
}

Result<LoadedLink> LinkLoader::load(const ChainLink& link, backend::Progress* progress, CancelToken cancel) {
    LOADER_TRY(const std::vector<Part> parts, place(link));
    LOADER_CHECK(checkMemory(parts));
    LoadedLink loaded;
    if (!isProcessor(link.device) && m_request.selfTest) {
        LOADER_TRY(backend::Backend * trusted, m_registry.open(kProcessorBackend));
        const SelfTestOptions test{matrixTypes(m_program), m_request.kv, m_request.threads, m_request.tier};
        LOADER_TRY(loaded.selfTest, selfTest(*link.backend, link.device.id, *trusted, test, cancel));
    }
    LOADER_TRY(loaded.model, loadParts(parts, progress, cancel));
    backend::SessionOptions sessionOptions;
    sessionOptions.contextTokens = m_contextTokens;
    sessionOptions.sequences = m_request.sequences;
    sessionOptions.kv = m_request.kv;
    LOADER_TRY(loaded.session, loaded.model->openSession(sessionOptions));
    loaded.estimatedBytes = estimate(parts);
    if (parts.size() > 1) loaded.splitWith = parts.front().backend->id();
    const std::uint32_t taken = splitSegments(m_program, link.layers).backLayers;
    loaded.gpuLayers = parts.size() > 1 || !isProcessor(link.device) ? taken : 0;
    return loaded;
}

Result<std::vector<LinkLoader::Part>> LinkLoader::place(const ChainLink& link) {
    SegmentSplit split = splitSegments(m_program, link.layers);
    if (split.back.empty()) {
        return Error(Errc::B702,
                     {link.backend->id(), "its last " + std::to_string(link.layers) +
                                              " layers share keys and values with those in front of them"});
    }
    std::vector<Part> parts;
    if (!split.front.empty()) {
        const std::string& named = m_request.splitWith;
        Part front;
        LOADER_TRY(front.backend, m_registry.open(named.empty() ? kProcessorBackend : named));
        LOADER_TRY(front.device, front.backend->device(""));
        front.segments = std::move(split.front);
        parts.push_back(std::move(front));
    }
    parts.push_back({link.backend, link.device, std::move(split.back), {}});
    for (Part& part : parts)
        LOADER_CHECK(plan(part));
    return parts;
}

Status LinkLoader::plan(Part& part) const {
    LOADER_TRY(const backend::PlanReport report,
               part.backend->plan(m_program, part.segments, part.device.id, options()));
    if (!report.unsupported.empty())
        return Error(Errc::B702, {part.backend->id(), report.unsupported.front()});
    part.needed = report.needed;
    return {};
}

Status LinkLoader::checkMemory(const std::vector<Part>& parts) const {
    std::uint64_t own = 0;
    for (const Part& part : parts) {
        if (isProcessor(part.device)) {
            // A mapped file takes no memory of its own: its pages can be dropped and read again.
            own += withoutWeights(part.needed);
            continue;
        }
        const std::uint64_t there = memoryOf(part.device);
        if (there != 0 && part.needed.total() > there)
            return Error(Errc::R901, {sizeText(part.needed.total())},
                         sizeText(there) + " of " + part.device.name);
    }
    const auto available = m_request.available ? m_request.available : availableMemory();
    if (!available || own <= available->bytes) return {};
    const std::uint32_t fits = largestContext(parts, available->bytes);
    if (fits == 0) return Error(Errc::R901, {sizeText(own)}, available->source);
    return Error(
        Errc::M140,
        {std::to_string(m_contextTokens), sizeText(own), sizeText(available->bytes), std::to_string(fits)},
        available->source);
}

/// The longest context, in steps of 64 tokens, whose memory on the processor would fit.
std::uint32_t LinkLoader::largestContext(const std::vector<Part>& parts, std::uint64_t available) const {
    backend::LoadOptions shorter = options();
    const auto needs = [&](std::uint32_t context) -> std::optional<std::uint64_t> {
        shorter.contextTokens = context;
        std::uint64_t bytes = 0;
        for (const Part& part : parts) {
            if (!isProcessor(part.device)) continue;
            const auto report = part.backend->plan(m_program, part.segments, part.device.id, shorter);
            if (!report.ok()) return std::nullopt;
            bytes += withoutWeights(report->needed);
        }
        return bytes;
    };
    std::uint32_t fits = 0;
    std::uint32_t tooMany = m_contextTokens / 64 + 1;
    while (tooMany - fits > 1) {
        const std::uint32_t middle = fits + (tooMany - fits) / 2;
        const auto bytes = needs(middle * 64);
        (bytes && *bytes <= available ? fits : tooMany) = middle;
    }
    return fits * 64;
}

std::uint64_t LinkLoader::estimate(const std::vector<Part>& parts) const {
    std::uint64_t bytes = 0;
    // The mapped file is there once, whichever of the processor's parts reads it; a device has its copy.
    std::vector<std::uint32_t> mapped;
    for (const Part& part : parts) {
        bytes += withoutWeights(part.needed);
        if (isProcessor(part.device)) {
            mapped.insert(mapped.end(), part.segments.begin(), part.segments.end());
        } else {
            bytes += part.needed.weights;
        }
    }
    return bytes + graph::weightBytes(m_program, mapped);
}

Result<std::unique_ptr<backend::Model>> LinkLoader::loadParts(const std::vector<Part>& parts,
                                                              backend::Progress* progress,
                                                              CancelToken cancel) {
    std::uint64_t total = 0;
    for (const Part& part : parts)
        total += graph::weightBytes(m_program, part.segments);
    PartProgress partProgress(progress, total);
    std::vector<ModelPart> models(parts.size());
    // The last part is the device's, which is likelier to fail.
    for (std::size_t i = parts.size(); i-- > 0;) {
        const Part& part = parts[i];
        partProgress.begin(graph::weightBytes(m_program, part.segments));
        LOADER_TRY(models[i].model, part.backend->load(m_program, m_weights, part.segments, part.device.id,
                                                       options(), &partProgress, cancel));
        models[i].segments = part.segments;
    }
    if (models.size() == 1) return std::move(models.front().model);
    return SplitModel::make(m_program, std::move(models), m_request.batchTokens);
}

std::uint32_t LinkLoader::fewerLayers(const ChainLink& failed) {
    const std::uint32_t before = std::min(failed.layers, m_program.layers);
    const std::uint64_t there = memoryOf(failed.device);
    const auto fits = [&](std::uint32_t layers) {
        const SegmentSplit split = splitSegments(m_program, layers);
        const auto report = failed.backend->plan(m_program, split.back, failed.device.id, options());
        return report.ok() && report->needed.total() <= there;
    };
    std::uint32_t least = 0;
    std::uint32_t tooMany = before;
    while (there != 0 && tooMany - least > 1) {
        const std::uint32_t middle = least + (tooMany - least) / 2;
        (fits(middle) ? least : tooMany) = middle;
    }
    // Where the plan saw no reason for the failure, the device knows better and gets half.
    const bool planKnew = there != 0 && !fits(before);
    return planKnew ? least : before / 2;
}

}  // namespace loader::host
