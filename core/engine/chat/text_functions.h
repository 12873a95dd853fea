// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Operations on text that methods and filters share. All keep the origin of every character.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/engine/chat/runtime.h"

namespace loader::chat {

enum class CaseChange : std::uint8_t { Upper, Lower, Capitalize, Title, Swap };
enum class Side : std::uint8_t { Left = 1, Right = 2, Both = 3 };

Result<Value> changeCase(Runtime& runtime, const Value& text, CaseChange change);
/// Removes white space, or the characters of a set given as text.
Result<Value> stripText(Runtime& runtime, const Value& text, const Value* characters, Side side);
/// count < 0: all.
Result<Value> replaceText(Runtime& runtime, const Value& text, const Value& from, const Value& to,
                          std::int64_t count);
Result<Value> joinTexts(Runtime& runtime, const Text& separator, const Values& items);
/// Where the room goes is told by the side that gets it.
Result<Value> padText(Runtime& runtime, const Value& text, std::int64_t width, const Value* fill, Side side);
Result<Value> splitText(Runtime& runtime, const Value& text, const Value* separator, std::int64_t limit,
                        bool fromRight);
Result<Value> splitLines(Runtime& runtime, const Value& text, bool keepEnds);
/// Characters counted from the start, or -1.
Result<std::int64_t> findText(Runtime& runtime, const Value& text, const Arguments& arguments, bool last);
Result<std::int64_t> countText(Runtime& runtime, const Value& text, const Arguments& arguments);
/// startswith and endswith: a text or a tuple of texts.
Result<bool> matchesEdge(Runtime& runtime, const Value& text, const Arguments& arguments, bool atEnd);

}  // namespace loader::chat
