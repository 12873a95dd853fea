// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The shared values of a rendering other than text: undefined, lists, dicts, ranges, and the few kinds that
// can change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/engine/chat/heap.h"
#include "core/engine/chat/value.h"

namespace loader::chat {

class UndefinedObject final : public Object {
public:
    UndefinedObject(Heap& heap, std::string reason, bool isForbidden)
        : Object(heap), message(std::move(reason)), forbidden(isForbidden) {}
    std::string message;
    /// Something the sandbox hides; using it is J410 instead of J409.
    bool forbidden;
};

/// List, Tuple, View and Generator.
class ListObject final : public Object {
public:
    ListObject(Heap& heap, Values values) : Object(heap), items(std::move(values)) {}
    Values items;
    /// A generator's items before this one are gone.
    std::size_t position = 0;
    /// dict_keys, dict_values, dict_items, or generator.
    std::string_view label = "generator";
};

class DictObject final : public Object {
public:
    DictObject(Heap& heap, Entries values) : Object(heap), entries(std::move(values)) {}
    Entries entries;
    /// For keys of text only; equal() in operators.h compares the others.
    const Value* find(std::string_view key) const;
};

class RangeObject final : public Object {
public:
    RangeObject(Heap& heap, std::int64_t first, std::int64_t end, std::int64_t stride, std::uint64_t length)
        : Object(heap), start(first), stop(end), step(stride), count(length) {}
    std::int64_t start, stop, step;
    std::uint64_t count;
    std::int64_t at(std::uint64_t index) const {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(start) +
                                         index * static_cast<std::uint64_t>(step));
    }
};

class NamespaceObject final : public MutableObject {
public:
    explicit NamespaceObject(Heap& heap) : MutableObject(heap) {}
    void clear() override { Entries().swap(entries); }
    /// Keys are text.
    Entries entries;
    Value* find(std::string_view key);
};

class CyclerObject final : public MutableObject {
public:
    CyclerObject(Heap& heap, Values values) : MutableObject(heap), items(std::move(values)) {}
    void clear() override { Values().swap(items); }
    Values items;
    std::size_t position = 0;
};

class JoinerObject final : public MutableObject {
public:
    JoinerObject(Heap& heap, Value value) : MutableObject(heap), separator(std::move(value)) {}
    void clear() override { separator = Value(); }
    Value separator;
    bool used = false;
};

}  // namespace loader::chat
