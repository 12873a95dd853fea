// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What every dispatch is told, as C++ and the shaders both read it: plain structs of 32-bit words, at most
// 128 bytes. Offsets and strides into the arena, the vectors and the step are in words of 32 bits; `token`
// counts the rows of a step. LOADER_NONE stands for "there is none".
// Budget: one flat list of structs.
//
// Buffers of every shader:
//   set 0  0 arena    activations, one row of each slot per token
//          1 vectors  norm weights and biases as floats
//          2 step     what the host says about this step
//          3 grids    codebooks of the IQ types
//          4 result   what the host reads afterwards
//   set 1  0 weights  a window of whole rows of one tensor
//   set 2  0 keys, 1 values of one layer: [sequence][kvHead][position], rows as kv_rows.glsl has them
//   set 3  0 weights  a second window, of the same shape
#ifndef LOADER_VULKAN_PUSH_CONSTANTS_H
#define LOADER_VULKAN_PUSH_CONSTANTS_H

#ifdef __cplusplus
#include <cstdint>
namespace loader::vulkan {
using uint = std::uint32_t;
#endif

#define LOADER_NONE 0xFFFFFFFFu

// What a product does with its result before it is stored: out (+)= cap(scale × activate(sum + bias)).
#define LOADER_ACTIVATE_NONE 0u
#define LOADER_ACTIVATE_SILU 1u
#define LOADER_ACTIVATE_GELU 2u
#define LOADER_ACTIVATE_RELU 3u

/// The step buffer begins with one item for each token.
struct StepItem {
    uint position;
    uint sequence;
    /// The item sees the positions [visibleBegin of its layer's window, visibleEnd).
    uint visibleEnd;
    /// Row of the arena; rows of output are gathered by it.
    uint row;
};

/// matvec, matmul: y[t][r] = W[r] · x[t] for the rows of one window. Grid: see each shader.
struct ProductPush {
    uint columns;
    uint rows;
    uint tokens;
    uint rowBytes;
    /// Of x[0]; with integer forms, of the row's form (quantise.comp). Rows are xStride apart.
    uint xOffset;
    uint xStride;
    uint outOffset;
    uint outStride;
    /// Into vectors; of the window's first row.
    uint biasOffset;
    /// Into step: x of token t is row step[gatherOffset + t].
    uint gatherOffset;
    float scale;
    float softcap;
    uint activation;
    /// Adds to out instead of replacing it.
    uint accumulate;
    /// Experts: part p of token t uses slice (expert - firstExpert) of the window; none: LOADER_NONE in
    /// routing. The routing row holds `used` expert numbers and `used` weights, as floats.
    uint routingOffset;
    uint routingStride;
    uint used;
    uint firstExpert;
    uint expertCount;
    uint sliceBytes;
    /// Distance of the parts of a token in x (0: all parts read the same row) and in out.
    uint xPartStride;
    uint outPartStride;
};

/// norm: rows of `width` values; a row is (token, part), parts are heads. One workgroup for each row.
struct NormPush {
    uint width;
    uint rows;
    uint parts;
    uint inOffset;
    uint inStride;
    uint inPartStride;
    uint outOffset;
    uint outStride;
    uint outPartStride;
    uint weightOffset;
    uint biasOffset;
    float epsilon;
    uint accumulate;
};

/// rope_store: turns query and key by the rows of cosines and sines in the step, appends key and value.
/// One workgroup for each (token, head) of max(heads, kvHeads).
struct RopePush {
    uint tokens;
    uint heads;
    uint kvHeads;
    uint keyLength;
    uint valueLength;
    /// Pairs that turn; 0 leaves them. Row t of [cos, sin] pairs is at tableOffset + t × 2 × pairs of the
    /// step.
    uint pairs;
    uint tableOffset;
    uint queryOffset;
    uint queryStride;
    uint keyOffset;
    uint keyStride;
    uint valueOffset;
    uint valueStride;
    uint contextTokens;
};

/// attend: one workgroup for each (kv head, block of query rows, split). With splits, `partOffset` of the
/// arena takes [token][head][split][valueLength + 2] (sum, then greatest and weight) for attend_merge.
struct AttendPush {
    uint tokens;
    uint heads;
    uint kvHeads;
    uint keyLength;
    uint valueLength;
    uint window;
    uint contextTokens;
    uint queryOffset;
    uint queryStride;
    uint outOffset;
    uint outStride;
    uint splits;
    uint partOffset;
    float scale;
    float softcap;
};

/// activate: out = activate(gate) × up, or activate(up) without a gate.
struct ActivatePush {
    uint width;
    uint tokens;
    uint gateOffset;
    uint gateStride;
    uint upOffset;
    uint upStride;
    uint outOffset;
    uint outStride;
    uint activation;
};

/// route: picks `used` of `experts` scores of each token. One workgroup for each token.
struct RoutePush {
    uint tokens;
    uint experts;
    uint used;
    uint scoresOffset;
    uint scoresStride;
    uint outOffset;
    uint outStride;
    /// 0 softmax, 1 sigmoid.
    uint gating;
    uint normalise;
    float scale;
};

/// expert_sum: out (+)= Σ weight × part.
struct ExpertSumPush {
    uint width;
    uint tokens;
    uint used;
    uint partOffset;
    uint partStride;
    uint routingOffset;
    uint routingStride;
    uint outOffset;
    uint outStride;
    uint accumulate;
};

/// quantise: rows of floats into blocks of 32: 8 words of packed bytes, the scale, scale × sum of the bytes.
/// `gatherOffset` as in ProductPush.
struct QuantisePush {
    uint columns;
    uint rows;
    uint parts;
    uint inOffset;
    uint inStride;
    uint inPartStride;
    uint outOffset;
    uint outStride;
    uint outPartStride;
    uint gatherOffset;
};

/// token_bias: adds to single logits. The step holds `count` pairs (token, bias).
struct TokenBiasPush {
    uint count;
    uint listOffset;
    uint rows;
    uint logitsOffset;
    uint logitsStride;
    uint vocabulary;
};

/// top_tokens: each workgroup sorts one chunk of a row and keeps the best `keep` as pairs (token, logit); a
/// first pass reads logits and also leaves (greatest, sum of exp(x - greatest)) of the chunk in the result.
struct TopPush {
    uint rows;
    uint count;
    uint keep;
    /// 1: in is logits, 0: in is pairs.
    uint first;
    uint inOffset;
    uint inStride;
    uint outOffset;
    uint outStride;
    /// 1: out is in the result buffer, 0: in the arena.
    uint toResult;
    uint sumsOffset;
    uint sumsStride;
};

#ifdef __cplusplus
}  // namespace loader::vulkan
#endif

#endif
