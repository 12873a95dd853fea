// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/arch/lower.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/engine/arch/blocks.h"
#include "core/engine/arch/hyper_parameters.h"
#include "core/engine/arch/registry.h"
#include "core/engine/arch/rope.h"

namespace loader::arch {
namespace {

/// An architecture name as the format allows it.
bool isName(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

Result<std::string> architectureName(const gguf::Metadata& metadata, const std::string& override) {
    if (!override.empty()) return override;
    const auto text = metadata.text("general.architecture");
    if (!text) return Error(Errc::M101, {"general.architecture is missing"}, "general.architecture");
    if (!isName(*text)) return Error(Errc::M101, {"the name is not usable"}, "general.architecture");
    return std::string(*text);
}

/// Layer number of "blk.7.…", or nothing.
std::optional<std::uint32_t> layerOf(std::string_view name) {
    if (!name.starts_with("blk.")) return std::nullopt;
    std::uint32_t layer = 0;
    const auto result = std::from_chars(name.data() + 4, name.data() + name.size(), layer);
    const bool whole =
        result.ec == std::errc() && result.ptr != name.data() + name.size() && *result.ptr == '.';
    return whole ? std::optional(layer) : std::nullopt;
}

class Lowering {
public:
    Lowering(const gguf::Metadata& metadata, std::span<const gguf::TensorInfo> tensors, const ArchSpec& spec,
             const std::string& prefix, HyperParameters values)
        : m_metadata(metadata),
          m_spec(spec),
          m_prefix(prefix),
          m_values(std::move(values)),
          m_tensors(tensors, m_lowered.program),
          m_context{m_spec, m_values, m_tensors, m_lowered.program, {}, graph::kNone} {}

    Result<Lowered> run() {
        graph::Program& program = m_lowered.program;
        program.architecture = m_spec.name;
        program.layers = static_cast<std::uint32_t>(m_values.layers.size());
        program.width = m_values.width;
        program.trainedContext = m_values.context;
        LOADER_CHECK(readVocabularySize());
        makeSlots();
        LOADER_CHECK(makeRopes());
        LOADER_CHECK(addSegments());
        LOADER_CHECK(judgeUntaken());
        program.finish();
        return std::move(m_lowered);
    }

private:
    /// The rows of the embedding table are the truth; everything else must agree with them.
    Status readVocabularySize() {
        const gguf::TensorInfo* table = m_tensors.find("token_embd.weight");
        if (!table) {
            return Error(Errc::M123,
                         {"token_embd.weight", "[" + std::to_string(m_values.width) + ", vocabulary]"});
        }
        const std::uint64_t rows = table->dims[1];
        if (rows > 0x7FFFFFFFu) return Error(Errc::M122, {"the table has " + std::to_string(rows) + " rows"});
        // A table the other way round is a matter of shape, not of the vocabulary.
        if (table->dims[0] != m_values.width) {
            m_lowered.program.vocabulary = static_cast<std::uint32_t>(rows);
            return m_tensors.take("token_embd.weight", {m_values.width, rows, 1}).error();
        }
        const auto disagrees = [&](const char* what, std::uint64_t count) {
            return Error(Errc::M122,
                         {std::string(what) + " says " + std::to_string(count) + ", token_embd.weight has " +
                          std::to_string(rows) + " rows"},
                         "token_embd.weight");
        };
        const std::string sizeKey = m_prefix + ".vocab_size";
        if (const auto size = m_metadata.get<std::uint64_t>(sizeKey); size && *size != rows) {
            return disagrees(sizeKey.c_str(), *size);
        }
        const auto listed = m_metadata.arrayLength("tokenizer.ggml.tokens");
        if (listed && *listed != rows) return disagrees("tokenizer.ggml.tokens", *listed);
        m_lowered.program.vocabulary = static_cast<std::uint32_t>(rows);
        return {};
    }

    graph::SlotId addSlot(const char* name, std::uint64_t width) {
        graph::Program& program = m_lowered.program;
        program.slots.push_back({name, static_cast<std::uint32_t>(width)});
        return static_cast<graph::SlotId>(program.slots.size() - 1);
    }

    void makeSlots() {
        std::uint64_t heads = 0;
        std::uint64_t kvHeads = 0;
        std::uint64_t hidden = 0;
        for (const LayerParameters& layer : m_values.layers) {
            heads = std::max<std::uint64_t>(heads, layer.heads);
            kvHeads = std::max<std::uint64_t>(kvHeads, layer.kvHeads);
            hidden = std::max<std::uint64_t>(hidden, layer.feedForward);
        }
        if (m_values.experts != 0) hidden = std::uint64_t{m_values.expertsUsed} * m_values.expertFeedForward;
        Slots& slots = m_context.slots;
        slots.stream = addSlot("stream", m_values.width);
        slots.normed = addSlot("normed", m_values.width);
        slots.query = addSlot("query", heads * m_values.keyLength);
        slots.key = addSlot("key", kvHeads * m_values.keyLength);
        slots.value = addSlot("value", kvHeads * m_values.valueLength);
        slots.attended = addSlot("attended", heads * m_values.valueLength);
        slots.hidden = addSlot("hidden", hidden);
        slots.routing = m_values.experts != 0 ? addSlot("routing", std::uint64_t{2} * m_values.expertsUsed)
                                              : graph::kNone;
    }

    Status makeRopes() {
        if (!m_spec.rotary) return {};
        graph::Rope rope = makeRope(m_values, m_spec.ropePairs);
        if (m_spec.ropeFactors != Presence::No) {
            LOADER_TRY(rope.factors,
                       m_tensors.takeOptional("rope_freqs.weight", {m_values.ropeDims / 2, 1, 1}));
        }
        m_lowered.program.ropes.push_back(std::move(rope));
        m_context.rope = 0;
        return {};
    }

    graph::Segment& addSegment(graph::SegmentKind kind, std::uint32_t layer) {
        m_lowered.program.segments.push_back({kind, layer, {}, {}});
        return m_lowered.program.segments.back();
    }

    Status addSegments() {
        LOADER_CHECK(addEmbedding(m_context, addSegment(graph::SegmentKind::Embedding, 0)));
        for (std::uint32_t layer = 0; layer < m_lowered.program.layers; ++layer)
            LOADER_CHECK(addLayer(layer));
        return addHead(m_context, addSegment(graph::SegmentKind::Head, 0));
    }

    Status addLayer(std::uint32_t layer) {
        const Slots& slots = m_context.slots;
        graph::Segment& mixer = addSegment(graph::SegmentKind::Mixer, layer);
        LOADER_CHECK(addNorm(m_context, mixer, layerTensor(layer, "attn_norm"), slots.stream, slots.normed));
        LOADER_CHECK(addAttention(m_context, mixer, layer));
        graph::Segment& feedForward = addSegment(graph::SegmentKind::FeedForward, layer);
        LOADER_CHECK(
            addNorm(m_context, feedForward, layerTensor(layer, "ffn_norm"), slots.stream, slots.normed));
        return m_values.experts != 0 ? addExperts(m_context, feedForward, layer)
                                     : addFeedForward(m_context, feedForward, layer);
    }

    /// A tensor that nobody took would change the result if it were understood: it is an error, except beyond
    /// the last layer, and except tables that only repeat what the metadata says.
    Status judgeUntaken() {
        for (const std::string& name : m_tensors.untaken()) {
            const auto layer = layerOf(name);
            if (layer && *layer >= m_lowered.program.layers) {
                m_lowered.warnings.emplace_back(Errc::M124, std::vector<std::string>{name}, name);
                continue;
            }
            if (name.ends_with("rope_freqs.weight") || name.ends_with("attn_rot_embd.weight")) continue;
            return Error(Errc::M124, {name}, name);
        }
        return {};
    }

    const gguf::Metadata& m_metadata;
    const ArchSpec& m_spec;
    /// In front of the file's keys.
    const std::string& m_prefix;
    HyperParameters m_values;
    Lowered m_lowered;
    TensorTable m_tensors;
    BuildContext m_context;
};

}  // namespace

Result<Lowered> lower(const gguf::Metadata& metadata, std::span<const gguf::TensorInfo> tensors,
                      const std::string& architecture) {
    LOADER_TRY(const std::string name, architectureName(metadata, architecture));
    const ArchSpec* spec = findSpec(name);
    if (!spec) return Error(Errc::M102, {name, knownNames()}, "general.architecture");
    if (tensors.empty()) return Error(Errc::M101, {"it has a name and no tensors"}, "general.architecture");
    graph::Program unused;
    LOADER_CHECK(TensorTable(tensors, unused).checkTypes());
    // An override still reads the keys under the name the file uses.
    const std::string prefix(metadata.text("general.architecture").value_or(spec->name));
    LOADER_TRY(HyperParameters values, readHyperParameters(metadata, *spec, prefix));
    Lowering lowering(metadata, tensors, *spec, prefix, std::move(values));
    return lowering.run();
}

}  // namespace loader::arch
