// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/value.h"

#include "core/engine/chat/objects.h"

namespace loader::chat {

const Value* DictObject::find(std::string_view key) const {
    for (const auto& entry : entries) {
        if (entry.first.is(Kind::String) && entry.first.bytes() == key) return &entry.second;
    }
    return nullptr;
}

Value* NamespaceObject::find(std::string_view key) {
    for (auto& entry : entries) {
        if (entry.first.bytes() == key) return &entry.second;
    }
    return nullptr;
}

std::string_view typeName(const Value& value) {
    switch (value.kind()) {
        case Kind::Undefined: return "Undefined";
        case Kind::None: return "NoneType";
        case Kind::Bool: return "bool";
        case Kind::Int: return "int";
        case Kind::Float: return "float";
        case Kind::String: return "str";
        case Kind::List: return "list";
        case Kind::Tuple: return "tuple";
        case Kind::Dict: return "dict";
        case Kind::View:
        case Kind::Generator: return value.as<ListObject>().label;
        case Kind::Range: return "range";
        case Kind::Namespace: return "Namespace";
        case Kind::Macro: return "Macro";
        case Kind::Function: return "function";
        case Kind::Method: return "builtin_function_or_method";
        case Kind::Loop: return "LoopContext";
        case Kind::Cycler: return "Cycler";
        case Kind::Joiner: return "Joiner";
    }
    return "object";
}

}  // namespace loader::chat
