// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The macro-operations of a program, as plain data at fused granularity. A slot is one activation vector per
// token; a tensor is a row of the program's weight table. Nothing here knows a model family or a device.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

namespace loader::graph {

/// Index into Program::weights.
using TensorId = std::uint32_t;
/// Index into Program::slots.
using SlotId = std::uint32_t;
/// Index into Program::ropes.
using RopeId = std::uint32_t;
inline constexpr std::uint32_t kNone = 0xFFFFFFFFu;

enum class NormKind : std::uint8_t { Rms, Layer };
enum class Activation : std::uint8_t { Silu, GeluTanh, Relu };
enum class Gating : std::uint8_t { Softmax, Sigmoid };

std::string_view nameOf(NormKind kind);
std::string_view nameOf(Activation activation);
std::string_view nameOf(Gating gating);

/// y = W x + b. @shape W [rows, columns], b [rows] or none.
struct Linear {
    TensorId weight = kNone;
    TensorId bias = kNone;
    bool present() const { return weight != kNone; }
};

/// out = scale × row of the token table, plus the row of the position table where there is one.
struct EmbedOp {
    TensorId tokens = kNone;
    TensorId positions = kNone;
    float scale = 1.0f;
    SlotId out = kNone;
};

/// out (+)= norm(in) × weight + bias.
/// @source Rms: Zhang & Sennrich 2019 eq. 4. Layer: Ba et al. 2016 eq. 4.
struct NormOp {
    NormKind kind = NormKind::Rms;
    TensorId weight = kNone;
    TensorId bias = kNone;
    float epsilon = 0.0f;
    SlotId in = kNone;
    SlotId out = kNone;
    /// Adds to out instead of replacing it (norms after a block).
    bool accumulate = false;
};

/// Query, key and value vectors of every head, by three matrices or one fused matrix (query rows, key rows,
/// value rows), with an optional norm of each head's query and key.
/// @shape query [heads × keyLength], key [kvHeads × keyLength], value [kvHeads × valueLength]
struct QkvOp {
    Linear query;
    Linear key;
    Linear value;
    Linear fused;
    TensorId queryNorm = kNone;
    TensorId keyNorm = kNone;
    float normEpsilon = 0.0f;
    std::uint32_t heads = 0;
    std::uint32_t kvHeads = 0;
    std::uint32_t keyLength = 0;
    std::uint32_t valueLength = 0;
    SlotId in = kNone;
    SlotId queryOut = kNone;
    SlotId keyOut = kNone;
    SlotId valueOut = kNone;
};

/// Rotates query and key by their position (rope kNone: leaves them) and appends key and value to the KV
/// cache.
struct RopeStoreOp {
    RopeId rope = kNone;
    /// Index into Program::kvLayers.
    std::uint32_t kvLayer = 0;
    std::uint32_t heads = 0;
    SlotId query = kNone;
    SlotId key = kNone;
    SlotId value = kNone;
};

/// Causal attention with grouped queries over the KV cache of the sequence.
/// @shape query [heads × keyLength], out [heads × valueLength]
struct AttendOp {
    std::uint32_t kvLayer = 0;
    std::uint32_t heads = 0;
    float scale = 1.0f;
    /// Scores become cap × tanh(score / cap); 0 means none.
    float softcap = 0.0f;
    SlotId query = kNone;
    SlotId out = kNone;
};

/// out (+)= scale × (W in + b).
struct ProjectOp {
    Linear linear;
    float scale = 1.0f;
    SlotId in = kNone;
    SlotId out = kNone;
    bool accumulate = false;
};

/// out = act(gate in) × (up in); act(up in) where there is no gate.
struct GateUpOp {
    Linear gate;
    Linear up;
    Activation activation = Activation::Silu;
    SlotId in = kNone;
    SlotId out = kNone;
};

/// Picks `used` of `experts` for each token. The routing slot holds `used` pairs (expert index, weight) as
/// floats.
/// @shape weight [experts, width]; out [2 × used]: indices, then weights
struct RouteOp {
    Linear linear;
    std::uint32_t experts = 0;
    std::uint32_t used = 0;
    Gating gating = Gating::Softmax;
    /// Divides the chosen weights by their sum.
    bool normalise = true;
    float scale = 1.0f;
    SlotId in = kNone;
    SlotId out = kNone;
};

/// For each chosen expert: out part = act(gate in) × (up in). @shape out [used × hidden]
struct ExpertGateUpOp {
    /// One tensor [experts, hidden, width], or, where `separate`, the first of `experts` consecutive tensors.
    TensorId gate = kNone;
    TensorId up = kNone;
    bool separate = false;
    std::uint32_t experts = 0;
    std::uint32_t used = 0;
    Activation activation = Activation::Silu;
    SlotId in = kNone;
    SlotId routing = kNone;
    SlotId out = kNone;
};

/// out (+)= Σ over chosen experts of weight × (down part).
struct ExpertDownOp {
    TensorId down = kNone;
    bool separate = false;
    std::uint32_t experts = 0;
    std::uint32_t used = 0;
    SlotId in = kNone;
    SlotId routing = kNone;
    SlotId out = kNone;
    bool accumulate = false;
};

/// Logits of the wanted tokens: scale × (W in + b), capped like attention scores.
struct HeadOp {
    Linear linear;
    float scale = 1.0f;
    float softcap = 0.0f;
    SlotId in = kNone;
};

using Op = std::variant<EmbedOp, NormOp, QkvOp, RopeStoreOp, AttendOp, ProjectOp, GateUpOp, RouteOp,
                        ExpertGateUpOp, ExpertDownOp, HeadOp>;

std::string_view nameOf(const Op& op);

}  // namespace loader::graph
