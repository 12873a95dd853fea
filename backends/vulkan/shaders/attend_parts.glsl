// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What attend leaves for attend_merge: for each (token, head, split) the sums of a row, its greatest score and
// its weight.
#ifndef ATTEND_PARTS_GLSL
#define ATTEND_PARTS_GLSL

#include "push_constants.h"

// Below any score; the greatest of no scores.
const float ATTEND_LEAST = -3.0e38;

uint partAt(AttendPush push, uint token, uint head, uint split) {
    return push.partOffset + ((token * push.heads + head) * push.splits + split) * (push.valueLength + 2u);
}

#endif
