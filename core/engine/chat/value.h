// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Values of a rendering: small ones in place, the others shared and, but for a few named kinds, immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/chat/heap.h"
#include "core/engine/chat/text.h"

namespace loader::chat {

enum class Kind : std::uint8_t {
    Undefined,
    None,
    Bool,
    Int,
    Float,
    String,
    List,
    Tuple,
    Dict,
    /// What dict.keys(), values() and items() return: can be iterated, not indexed.
    View,
    /// The result of a lazy filter: can be iterated once.
    Generator,
    Range,
    Namespace,
    Macro,
    Function,
    /// A method that was named but not called. It has no receiver and cannot be called later.
    Method,
    Loop,
    Cycler,
    Joiner,
};

class Value {
public:
    Value() { m_payload.object = nullptr; }
    Value(const Value& other)
        : m_kind(other.m_kind), m_fromTemplate(other.m_fromTemplate), m_payload(other.m_payload) {
        if (Object* object = held()) object->retain();
    }
    Value(Value&& other) noexcept
        : m_kind(other.m_kind), m_fromTemplate(other.m_fromTemplate), m_payload(other.m_payload) {
        other.m_kind = Kind::None;
    }
    Value& operator=(Value other) noexcept {
        std::swap(m_kind, other.m_kind);
        std::swap(m_fromTemplate, other.m_fromTemplate);
        std::swap(m_payload, other.m_payload);
        return *this;
    }
    ~Value() {
        if (Object* object = held()) object->release();
    }

    static Value none(bool fromTemplate) { return Value(Kind::None, fromTemplate); }
    static Value boolean(bool value, bool fromTemplate) {
        Value result(Kind::Bool, fromTemplate);
        result.m_payload.integer = value ? 1 : 0;
        return result;
    }
    static Value integer(std::int64_t value, bool fromTemplate) {
        Value result(Kind::Int, fromTemplate);
        result.m_payload.integer = value;
        return result;
    }
    static Value floating(double value, bool fromTemplate) {
        Value result(Kind::Float, fromTemplate);
        result.m_payload.floating = value;
        return result;
    }
    static Value function(std::int64_t index) {
        Value result(Kind::Function, true);
        result.m_payload.integer = index;
        return result;
    }
    static Value method() { return Value(Kind::Method, true); }
    static Value shared(Kind kind, Object* object, bool fromTemplate = false) {
        Value result(kind, fromTemplate);
        result.m_payload.object = object;
        object->retain();
        return result;
    }

    Kind kind() const { return m_kind; }
    bool is(Kind kind) const { return m_kind == kind; }
    bool isNumber() const { return m_kind == Kind::Int || m_kind == Kind::Float || m_kind == Kind::Bool; }
    bool isIntegral() const { return m_kind == Kind::Int || m_kind == Kind::Bool; }
    /// List or tuple.
    bool isArray() const { return m_kind == Kind::List || m_kind == Kind::Tuple; }
    bool truth() const { return m_payload.integer != 0; }
    /// Of a Bool or an Int.
    std::int64_t asInt() const { return m_payload.integer; }
    /// Of any number.
    double asDouble() const {
        return m_kind == Kind::Float ? m_payload.floating : static_cast<double>(m_payload.integer);
    }
    Object* object() const { return m_payload.object; }
    template <class T>
    T& as() const {
        return *static_cast<T*>(m_payload.object);
    }
    inline const Text& text() const;
    inline const std::string& bytes() const;
    /// Of small values the origin they carry; of text whether all of it is the template's.
    inline bool fromTemplate() const;
    bool sameObject(const Value& other) const { return held() != nullptr && held() == other.held(); }

private:
    Value(Kind kind, bool fromTemplate) : m_kind(kind), m_fromTemplate(fromTemplate) {
        m_payload.object = nullptr;
    }
    /// The object that this value refers to; null for small values.
    Object* held() const {
        switch (m_kind) {
            case Kind::None:
            case Kind::Bool:
            case Kind::Int:
            case Kind::Float:
            case Kind::Function:
            case Kind::Method: return nullptr;
            default: return m_payload.object;
        }
    }

    Kind m_kind = Kind::None;
    bool m_fromTemplate = false;
    union {
        std::int64_t integer;
        double floating;
        Object* object;
    } m_payload;
};

using Values = std::vector<Value>;
using Entries = std::vector<std::pair<Value, Value>>;

class TextObject final : public Object {
public:
    TextObject(Heap& heap, Text value) : Object(heap), text(std::move(value)) {}
    Text text;
    /// Marked safe or already escaped: adding plain text to it escapes that text.
    bool markup = false;
};

inline const Text& Value::text() const {
    return as<TextObject>().text;
}
inline const std::string& Value::bytes() const {
    return text().bytes();
}
inline bool Value::fromTemplate() const {
    return m_kind == Kind::String ? text().allFromTemplate() : m_fromTemplate;
}

/// As Python names the type: "str", "dict", "int" …
std::string_view typeName(const Value& value);

}  // namespace loader::chat
