// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// HTML escaping, which the filters escape and e offer.
#pragma once

#include "core/engine/chat/text.h"

namespace loader::chat {

/// Each replacement has the origin of the character that it replaces.
void appendEscaped(TextBuilder& builder, const Text& text);

}  // namespace loader::chat
