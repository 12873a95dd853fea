// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/runtime.h"

#include <algorithm>

#include "core/engine/chat/objects.h"

namespace loader::chat {
namespace {

/// Steps between two looks at the clock and the cancel flag.
constexpr std::uint64_t kLookInterval = 512;

}  // namespace

Status Meter::look() {
    if (m_steps > m_budget.steps) return Error(Errc::J403, {std::to_string(m_budget.steps)});
    LOADER_CHECK(m_cancel.check());
    if (std::chrono::steady_clock::now() > m_end) {
        return Error(Errc::J406, {std::to_string(m_budget.wall.count())});
    }
    m_nextLook = std::min(m_steps + kLookInterval, m_budget.steps + 1);
    return {};
}

const Value* Arguments::get(std::size_t position, std::string_view name) const {
    if (position < positional.size()) return &positional[position];
    for (const auto& argument : named) {
        if (argument.first == name) return &argument.second;
    }
    return nullptr;
}

Status Arguments::expect(std::string_view callee, std::initializer_list<std::string_view> names) const {
    if (positional.size() > names.size()) {
        return impossible(std::string(callee) + " takes at most " + std::to_string(names.size()) +
                          " arguments");
    }
    for (const auto& argument : named) {
        const auto* const at = std::find(names.begin(), names.end(), argument.first);
        const bool known =
            at != names.end() && static_cast<std::size_t>(at - names.begin()) >= positional.size();
        if (!known) return impossible(std::string(callee) + " takes no argument '" + argument.first + "'");
    }
    return {};
}

Result<Value> Runtime::makeText(Text text) {
    LOADER_TRY(TextObject* const object, heap.make<TextObject>(text.footprint(), std::move(text)));
    return Value::shared(Kind::String, object);
}

Result<Value> Runtime::makeText(std::string_view bytes, bool fromTemplate) {
    LOADER_CHECK(heap.expect(bytes.size()));
    return makeText(Text(std::string(bytes), fromTemplate));
}

Result<Value> Runtime::makeText(TextBuilder& builder) {
    LOADER_CHECK(builder.status());
    return makeText(builder.take());
}

Result<Value> Runtime::makeMarkup(TextBuilder& builder) {
    LOADER_TRY(Value value, makeText(builder));
    value.as<TextObject>().markup = true;
    return value;
}

Result<Value> Runtime::makeList(Values items, Kind kind) {
    LOADER_TRY(ListObject* const object,
               heap.make<ListObject>(items.capacity() * sizeof(Value), std::move(items)));
    return Value::shared(kind, object);
}

Result<Value> Runtime::makeGenerator(Values items, std::string_view label) {
    LOADER_TRY(Value value, makeList(std::move(items), label == "generator" ? Kind::Generator : Kind::View));
    value.as<ListObject>().label = label;
    return value;
}

Result<Value> Runtime::makeDict(Entries entries) {
    const std::size_t bytes = entries.capacity() * sizeof(Entries::value_type);
    LOADER_TRY(DictObject* const object, heap.make<DictObject>(bytes, std::move(entries)));
    return Value::shared(Kind::Dict, object);
}

Result<Value> Runtime::makeUndefined(std::string message, bool forbidden) {
    const std::size_t bytes = message.capacity();
    LOADER_TRY(UndefinedObject* const object,
               heap.make<UndefinedObject>(bytes, std::move(message), forbidden));
    return Value::shared(Kind::Undefined, object);
}

Error impossible(std::string reason) {
    return Error(Errc::J409, {std::move(reason)});
}

Error undefinedUse(const Value& undefined) {
    const auto& object = undefined.as<UndefinedObject>();
    return Error(object.forbidden ? Errc::J410 : Errc::J409, {object.message});
}

Error wrongType(std::string_view what, const Value& value) {
    if (value.is(Kind::Undefined)) return undefinedUse(value);
    return impossible(std::string(what) + " a value of type " + std::string(typeName(value)));
}

}  // namespace loader::chat
