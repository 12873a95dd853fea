// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The buffers that every shader may use; push_constants.h says what they hold. The arena is declared as words:
// quantised forms lie in it beside floats, and their bits must survive.
#ifndef BUFFERS_GLSL
#define BUFFERS_GLSL

#include "push_constants.h"

layout(set = 0, binding = 0) buffer Arena {
    uint arenaWords[];
};
layout(set = 0, binding = 1) readonly buffer Vectors {
    float vectors[];
};
layout(set = 0, binding = 2) readonly buffer Step {
    uint stepWords[];
};

float arenaAt(uint index) {
    return uintBitsToFloat(arenaWords[index]);
}

void setArena(uint index, float value) {
    arenaWords[index] = floatBitsToUint(value);
}

// The item of a token.
StepItem itemOf(uint token) {
    const uint at = token * 4u;
    return StepItem(stepWords[at], stepWords[at + 1u], stepWords[at + 2u], stepWords[at + 3u]);
}

// The row that a token reads: its own, or the one that the step names.
uint gatheredRow(uint gatherOffset, uint token) {
    return gatherOffset == LOADER_NONE ? token : stepWords[gatherOffset + token];
}

#endif
