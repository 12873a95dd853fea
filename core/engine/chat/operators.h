// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Operators, comparison, item access and iteration, with Python's meaning.
#pragma once

#include <cstdint>
#include <optional>

#include "core/engine/chat/ast.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/runtime.h"

namespace loader::chat {

bool isTrue(const Value& value);
Result<bool> equal(Runtime& runtime, const Value& a, const Value& b, unsigned depth = 0);
/// Negative, zero or positive; nothing where the two have no order (NaN).
/// @errors J409 for types without order
Result<std::optional<int>> order(Runtime& runtime, const Value& a, const Value& b, unsigned depth = 0);
Result<bool> contains(Runtime& runtime, const Value& container, const Value& item);
Result<bool> compare(Runtime& runtime, Operator operation, const Value& a, const Value& b);
Result<Value> calculate(Runtime& runtime, Operator operation, const Value& a, const Value& b);
Result<Value> negate(const Value& value);

/// Number of items or characters.
Result<std::size_t> lengthOf(Runtime& runtime, const Value& value);
/// a[key]: an item, else an attribute, else undefined.
Result<Value> itemOf(Runtime& runtime, const Value& value, const Value& key);
/// a.name of values without fields of their own: a method or a key, else undefined.
Result<Value> attributeOf(Runtime& runtime, const Value& value, const Value& name);
Result<Value> sliceOf(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
                      const Value& step);
/// The value under a key, or null.
Result<const Value*> findKey(Runtime& runtime, const DictObject& dict, const Value& key);
Status checkKey(const Value& key);

/// Every item that a loop would see, in order. A generator is used up.
Result<Values> itemsOf(Runtime& runtime, const Value& value);
bool isIterable(const Value& value);
/// Stable; `descending` keeps the order of equals.
Status sortValues(Runtime& runtime, Values& items, const Values& keys, bool descending);

/// An argument as a number; refuses everything that is no integer.
Result<std::int64_t> integerOf(std::string_view what, const Value& value);

}  // namespace loader::chat
