// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Picks the `used` best of up to 512 experts of each token: their numbers, then their weights. Of equal scores the
// lower number comes first; a score that is no number is the least of all and weighs nothing.
// Constants: 0 local size. Grid: x tokens. Shared memory: 2048 bytes + 12 × local size.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "buffers.glsl"
#include "reduce.glsl"

layout(push_constant) uniform Push {
    RoutePush push;
};

const float LEAST = -3.0e38;
const float TAKEN = -3.4e38;

shared float scores[512];
shared float bestScores[gl_WorkGroupSize.x];
shared uint bestExperts[gl_WorkGroupSize.x];

bool isBetter(float score, uint expert, float otherScore, uint other) {
    return score > otherScore || (score == otherScore && expert < other);
}

// The best that is not yet taken, for all invocations.
uint pickBest() {
    const uint lane = gl_LocalInvocationID.x;
    float score = TAKEN;
    uint expert = push.experts;
    for (uint e = lane; e < push.experts; e += gl_WorkGroupSize.x) {
        if (isBetter(scores[e], e, score, expert)) {
            score = scores[e];
            expert = e;
        }
    }
    bestScores[lane] = score;
    bestExperts[lane] = expert;
    barrier();
    for (uint count = gl_WorkGroupSize.x; count > 1u;) {
        const uint upper = (count + 1u) / 2u;
        if (lane + upper < count &&
            isBetter(bestScores[lane + upper], bestExperts[lane + upper], bestScores[lane], bestExperts[lane])) {
            bestScores[lane] = bestScores[lane + upper];
            bestExperts[lane] = bestExperts[lane + upper];
        }
        count = upper;
        barrier();
    }
    return min(bestExperts[0], push.experts - 1u);
}

float weightOf(float score, float greatest, float sum) {
    if (score <= LEAST) return 0.0;
    return push.gating == 0u ? exp(score - greatest) / sum : 1.0 / (1.0 + exp(clamp(-score, -80.0, 80.0)));
}

void main() {
    const uint token = gl_WorkGroupID.x;
    const uint lane = gl_LocalInvocationID.x;
    if (token >= push.tokens) return;
    float greatest = LEAST;
    for (uint e = lane; e < push.experts; e += gl_WorkGroupSize.x) {
        const uint bits = arenaWords[push.scoresOffset + token * push.scoresStride + e];
        const bool number = (bits & 0x7FFFFFFFu) <= 0x7F800000u;
        const float score = number ? clamp(uintBitsToFloat(bits), LEAST, -LEAST) : LEAST;
        scores[e] = score;
        greatest = max(greatest, score);
    }
    greatest = groupGreatest(greatest);
    float sum = 0.0;
    for (uint e = lane; e < push.experts; e += gl_WorkGroupSize.x) {
        if (scores[e] > LEAST) sum += exp(scores[e] - greatest);
    }
    sum = groupSum(sum);

    const uint out0 = push.outOffset + token * push.outStride;
    float chosen = 0.0;
    for (uint k = 0u; k < push.used; ++k) {
        const uint expert = pickBest();
        const float weight = weightOf(scores[expert], greatest, sum);
        chosen += weight;
        barrier();
        if (lane == 0u) {
            scores[expert] = TAKEN;
            setArena(out0 + k, float(expert));
            setArena(out0 + push.used + k, weight);
        }
        barrier();
    }
    if (lane != 0u) return;
    const float scale = (push.normalise == 0u ? 1.0 : chosen > 0.0 ? 1.0 / chosen : 0.0) * push.scale;
    for (uint k = 0u; k < push.used; ++k)
        setArena(out0 + push.used + k, arenaAt(out0 + push.used + k) * scale);
}
