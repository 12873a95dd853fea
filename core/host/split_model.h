// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One model of several, each of which holds a range of the program's segments on a back end of its own:
// partial offload. To its user it is a model like any other. Why the last layers go to the device:
// docs/adr/0017-partial-offload.md.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backends/api/backend.h"

namespace loader::host {

/// Which segments stay and which go to the device; one of the lists may be empty.
struct SegmentSplit {
    /// Embedding and first layers.
    std::vector<std::uint32_t> front;
    /// The last layers and the head.
    std::vector<std::uint32_t> back;
    /// Layers in `back`: as many as were asked for, or fewer where layers share keys and values, which must
    /// not be parted.
    std::uint32_t backLayers = 0;
};

/// Places the last `deviceLayers` layers and the head on a device; as many layers as there are, or more, is
/// all, the embedding too. 0 is nothing.
SegmentSplit splitSegments(const graph::Program& program, std::uint32_t deviceLayers);

/// A loaded range of segments.
struct ModelPart {
    std::unique_ptr<backend::Model> model;
    std::vector<std::uint32_t> segments;
};

/// @thread as backend::Model
class SplitModel final : public backend::Model {
public:
    /// @param parts in the order of their segments, which follow each other without a gap
    /// @param batchTokens the items that are carried over a border at once; longer batches are cut
    /// @errors X003 the parts do not follow each other
    static Result<std::unique_ptr<backend::Model>> make(const graph::Program& program,
                                                        std::vector<ModelPart> parts, unsigned batchTokens);

    /// The memory of all parts; their tiers joined by " + "; the most threads of a part.
    backend::LoadEffects effects() const override;
    Result<std::unique_ptr<backend::Session>> openSession(const backend::SessionOptions& options) override;

private:
    SplitModel(const graph::Program& program, std::vector<ModelPart> parts, unsigned batchTokens)
        : m_program(program), m_parts(std::move(parts)), m_batchTokens(batchTokens) {}

    const graph::Program& m_program;
    std::vector<ModelPart> m_parts;
    unsigned m_batchTokens;
};

}  // namespace loader::host
