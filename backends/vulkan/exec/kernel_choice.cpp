// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/kernel_choice.h"

#include <algorithm>
#include <bit>

#include "backends/vulkan/exec/session_layout.h"

namespace loader::vulkan {
namespace {

using quant::TensorType;

/// A shader in the form that a tier has of it.
ShaderId inTier(FeatureTier tier, bool integer, ShaderId plain, ShaderId half, ShaderId byte) {
    if (integer) return byte;
    return tier >= FeatureTier::Fp16 ? half : plain;
}

/// The largest power of two that is at most `most` and enough for `count`.
std::uint32_t lanes(std::uint32_t count, std::uint32_t least, std::uint32_t most) {
    return std::clamp(std::bit_ceil(std::max(count, 1u)), least, std::bit_floor(most));
}

/// Shared memory of attend.comp, as its head says.
std::uint64_t attendBytes(std::uint64_t rows, std::uint64_t positions, std::uint64_t keyLength,
                          std::uint64_t valueLength, std::uint64_t threads) {
    const std::uint64_t pairs = rows * positions;
    return sizeof(float) * (positions * (std::max(keyLength, valueLength) + 1) + rows * keyLength + pairs +
                            std::max(pairs, threads) + 5 * rows);
}

}  // namespace

ProductForm KernelChoice::formOf(TensorType type, bool few) const {
    // Matrix units take halves and are faster at it than integers are without them.
    const bool integers = few ? m_tier >= FeatureTier::Int8 : m_tier == FeatureTier::Int8;
    return !m_exact && integers && familyOf(type) != WeightFamily::Float ? ProductForm::Integer
                                                                         : ProductForm::Float;
}

Choice KernelChoice::matvec(TensorType type, std::uint32_t columns, std::uint32_t tokens, bool pair) const {
    const bool integer = formOf(type, true) == ProductForm::Integer;
    // Each lane takes blocks of 32 columns.
    const std::uint32_t threads = lanes(divideUp(columns, 32), 32, std::min(m_limits.invocations, 128u));
    Choice choice;
    choice.rows = pair ? 2 : 4;
    choice.tokens = std::bit_ceil(std::min(tokens, kVectorTokens));
    choice.key = {
        inFamily(inTier(m_tier, integer, ShaderId::Matvec, ShaderId::MatvecFp16, ShaderId::MatvecInt8), type),
        {threads, static_cast<std::uint32_t>(type), choice.tokens, choice.rows, pair ? 1u : 0u}};
    return choice;
}

Choice KernelChoice::matmul(TensorType type, std::uint32_t tokens) const {
    if (m_tier >= FeatureTier::Matrix) return matmulByMatrices(type, tokens);
    constexpr std::uint32_t kEach = 4;
    const bool integer = formOf(type, false) == ProductForm::Integer;
    const bool large = m_limits.invocations >= 256 && m_limits.sharedBytes >= 32768;
    Choice choice;
    choice.rows = large ? 64 : 32;
    choice.tokens = large && tokens > 32 ? 64 : 32;
    const std::uint32_t threads = (choice.rows / kEach) * (choice.tokens / kEach);
    choice.key = {
        inFamily(inTier(m_tier, integer, ShaderId::Matmul, ShaderId::MatmulFp16, ShaderId::MatmulInt8), type),
        {threads, static_cast<std::uint32_t>(type), choice.rows, choice.tokens, kEach, kEach}};
    return choice;
}

/// Each subgroup multiplies a part of a tile; large ones have four parts where that many subgroups go
/// together.
Choice KernelChoice::matmulByMatrices(TensorType type, std::uint32_t tokens) const {
    // What a driver cuts for its units may be as large as registers hold; all sizes that it names divide
    // this.
    constexpr std::uint32_t kFlexiblePart = 32;
    const bool flexible = m_tier >= FeatureTier::Flexible;
    const MatrixShape& shape = m_limits.matrix;
    const std::uint32_t part = flexible ? kFlexiblePart : 2 * std::max(shape.rows, shape.tokens);
    const std::uint32_t parts =
        std::clamp(std::bit_floor(m_limits.invocations / m_limits.subgroupMost), 1u, 4u);
    Choice choice;
    choice.tokens = parts == 4 && tokens > part ? 2 * part : part;
    choice.rows = parts * part * part / choice.tokens;
    choice.key = {inFamily(flexible ? ShaderId::MatmulFlexible : ShaderId::MatmulMatrix, type),
                  {parts * m_limits.subgroupMost, static_cast<std::uint32_t>(type), choice.rows,
                   choice.tokens, part, part}};
    if (!flexible)
        choice.key.constants.insert(choice.key.constants.end(), {shape.rows, shape.tokens, shape.columns});
    return choice;
}

PipelineKey KernelChoice::norm(graph::NormKind kind, std::uint32_t width) const {
    const std::uint32_t threads = lanes(width / 4, 32, std::min(m_limits.invocations, 256u));
    return {ShaderId::Norm, {threads, kind == graph::NormKind::Rms ? 0u : 1u}};
}

PipelineKey KernelChoice::ropeStore(bool halves, backend::KvType kv) const {
    return {ShaderId::RopeStore, {64, halves ? 1u : 0u, static_cast<std::uint32_t>(kv)}};
}

Choice KernelChoice::attend(backend::KvType kv, std::uint32_t group, std::uint32_t keyLength,
                            std::uint32_t valueLength, bool oneToken) const {
    Choice choice;
    std::uint32_t positions = 64;
    // Long heads leave room for fewer positions, and at last for fewer rows.
    for (std::uint32_t most = 8; most > 0; most /= 2) {
        for (std::uint32_t heads = 1; heads <= std::min(group, most); ++heads) {
            if (group % heads == 0) choice.rows = heads;
        }
        choice.tokens = oneToken ? 1 : most / choice.rows;
        const auto fits = [&] {
            return attendBytes(choice.rows * choice.tokens, positions, keyLength, valueLength, kLine) <=
                   m_limits.sharedBytes;
        };
        for (positions = 64; positions > 8 && !fits();)
            positions /= 2;
        if (fits()) break;
    }
    choice.key = {ShaderId::Attend,
                  {kLine, static_cast<std::uint32_t>(kv), choice.rows, choice.tokens, positions, keyLength,
                   valueLength}};
    return choice;
}

PipelineKey KernelChoice::attendMerge() const {
    return {ShaderId::AttendMerge, {64}};
}
PipelineKey KernelChoice::activate(bool gated) const {
    return {ShaderId::Activate, {kLine, gated ? 1u : 0u}};
}
PipelineKey KernelChoice::quantise() const {
    return {ShaderId::Quantise, {kLine}};
}
PipelineKey KernelChoice::route() const {
    return {ShaderId::Route, {64}};
}
PipelineKey KernelChoice::expertSum() const {
    return {ShaderId::ExpertSum, {kLine}};
}
PipelineKey KernelChoice::tokenBias() const {
    return {ShaderId::TokenBias, {kLine}};
}
PipelineKey KernelChoice::topTokens() const {
    return {ShaderId::TopTokens, {kLine, kTopChunk}};
}

}  // namespace loader::vulkan
