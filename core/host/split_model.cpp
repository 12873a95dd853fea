// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/split_model.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/host/split_session.h"

namespace loader::host {
namespace {

bool isInLayer(const graph::Segment& segment) {
    return segment.kind == graph::SegmentKind::Mixer || segment.kind == graph::SegmentKind::FeedForward;
}

/// Whether a layer in front of the border fills a KV cache that one behind it reads.
bool partsKeysAndValues(const graph::Program& program, std::size_t border) {
    std::vector<bool> storedInFront(program.kvLayers.size(), false);
    for (std::size_t i = 0; i < program.segments.size(); ++i) {
        for (const graph::Op& op : program.segments[i].ops) {
            const auto* store = std::get_if<graph::RopeStoreOp>(&op);
            if (store && i < border) storedInFront[store->kvLayer] = true;
            const auto* attend = std::get_if<graph::AttendOp>(&op);
            if (attend && i >= border && storedInFront[attend->kvLayer]) return true;
        }
    }
    return false;
}

std::vector<std::uint32_t> range(std::size_t begin, std::size_t end) {
    std::vector<std::uint32_t> indices(end - begin);
    std::iota(indices.begin(), indices.end(), static_cast<std::uint32_t>(begin));
    return indices;
}

}  // namespace

SegmentSplit splitSegments(const graph::Program& program, std::uint32_t deviceLayers) {
    const std::size_t count = program.segments.size();
    if (deviceLayers >= program.layers) return {{}, range(0, count), program.layers};
    if (deviceLayers == 0) return {range(0, count), {}, 0};

    std::uint32_t firstLayer = program.layers - deviceLayers;
    std::size_t border = 0;
    for (; firstLayer < program.layers; ++firstLayer) {
        const auto begins = [firstLayer](const graph::Segment& segment) {
            return isInLayer(segment) && segment.layer >= firstLayer;
        };
        const auto first = std::find_if(program.segments.begin(), program.segments.end(), begins);
        border = static_cast<std::size_t>(first - program.segments.begin());
        if (!partsKeysAndValues(program, border)) break;
    }
    // A head alone is not worth a border.
    if (firstLayer == program.layers || border == count) return {range(0, count), {}, 0};
    return {range(0, border), range(border, count), program.layers - firstLayer};
}

Result<std::unique_ptr<backend::Model>> SplitModel::make(const graph::Program& program,
                                                         std::vector<ModelPart> parts, unsigned batchTokens) {
    std::optional<std::uint32_t> next;
    for (const ModelPart& part : parts) {
        bool follows = part.model && !part.segments.empty();
        for (const std::uint32_t segment : part.segments) {
            follows = follows && segment < program.segments.size() && (!next || segment == *next);
            next = segment + 1;
        }
        if (!follows) return Error(Errc::X003, {"the parts of a model do not follow each other"});
    }
    if (!next || batchTokens == 0) return Error(Errc::X003, {"a model of no parts"});
    return std::unique_ptr<backend::Model>(new SplitModel(program, std::move(parts), batchTokens));
}

backend::LoadEffects SplitModel::effects() const {
    backend::LoadEffects all;
    for (const ModelPart& part : m_parts) {
        const backend::LoadEffects effects = part.model->effects();
        all.used.weights += effects.used.weights;
        all.used.kv += effects.used.kv;
        all.used.compute += effects.used.compute;
        all.used.output += effects.used.output;
        all.threads = std::max(all.threads, effects.threads);
        if (!all.tier.empty()) all.tier += " + ";
        all.tier += effects.tier;
    }
    return all;
}

Result<std::unique_ptr<backend::Session>> SplitModel::openSession(const backend::SessionOptions& options) {
    std::vector<SessionPart> sessions;
    for (const ModelPart& part : m_parts) {
        LOADER_TRY(auto session, part.model->openSession(options));
        const bool first = sessions.empty();
        sessions.push_back({std::move(session), first ? 0 : m_program.carriedWidth(part.segments.front())});
    }
    return std::unique_ptr<backend::Session>(
        std::make_unique<SplitSession>(std::move(sessions), options, m_batchTokens));
}

}  // namespace loader::host
