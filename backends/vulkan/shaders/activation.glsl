// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Activation functions that stay finite for any finite argument.
#ifndef ACTIVATION_GLSL
#define ACTIVATION_GLSL

#include "push_constants.h"

// The series is for small arguments, where the quotient would lose digits.
float safeTanh(float x) {
    const float square = x * x;
    const float series =
        x * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0 + square * (62.0 / 2835.0)))));
    const float quotient = 1.0 - 2.0 / (exp(2.0 * clamp(x, -20.0, 20.0)) + 1.0);
    return square < 0.0625 ? series : quotient;
}

float silu(float x) {
    // exp(87) is the last that division is sure to be right with; what is left out is below 1e-35.
    return x < -87.0 ? -0.0 : x / (1.0 + exp(-x));
}

// @source Hendrycks & Gimpel 2016, the tanh form
float geluTanh(float x) {
    return 0.5 * x * (1.0 + safeTanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

float activated(uint kind, float x) {
    if (kind == LOADER_ACTIVATE_SILU) return silu(x);
    if (kind == LOADER_ACTIVATE_GELU) return geluTanh(x);
    if (kind == LOADER_ACTIVATE_RELU) return max(x, 0.0);
    return x;
}

// cap × tanh(x / cap); 0 is no cap.
float softcapped(float cap, float x) {
    return cap == 0.0 ? x : cap * safeTanh(x / cap);
}

#endif
