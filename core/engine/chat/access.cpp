// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <algorithm>
#include <limits>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/methods.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

/// Keys are compared one by one; a step is charged for so many of them.
constexpr std::size_t kKeysPerStep = 8;

Result<Value> indexInto(Runtime& runtime, const Value& value, std::int64_t index) {
    LOADER_TRY(const std::size_t length, lengthOf(runtime, value));
    const auto size = static_cast<std::int64_t>(length);
    if (index < 0) index += size;
    if (index < 0 || index >= size) {
        return runtime.makeUndefined(std::string(typeName(value)) + " object has no element " +
                                     std::to_string(index));
    }
    const auto at = static_cast<std::size_t>(index);
    if (value.isArray()) return value.as<ListObject>().items[at];
    if (value.is(Kind::Range)) return Value::integer(value.as<RangeObject>().at(at), value.fromTemplate());
    const std::string& bytes = value.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    std::size_t position = 0;
    if (length == bytes.size()) {
        position = at;
    } else {
        for (std::size_t i = 0; i < at; ++i)
            position += utf8::decode(std::string_view(bytes).substr(position)).length;
    }
    const std::size_t width = utf8::decode(std::string_view(bytes).substr(position)).length;
    return runtime.makeText(value.text().part(position, position + width));
}

/// Start and stop of a slice as Python clamps them.
struct Bounds {
    std::int64_t start, stop, step;
};

Result<Bounds> boundsOf(const Value& start, const Value& stop, const Value& step, std::int64_t length) {
    Bounds bounds{0, length, 1};
    if (!step.is(Kind::None)) {
        LOADER_TRY(bounds.step, integerOf("a slice step", step));
    }
    if (bounds.step == 0) return impossible("a slice with step 0");
    const bool backwards = bounds.step < 0;
    const auto clamp = [&](std::int64_t value) {
        if (value < 0) value += length;
        return std::clamp<std::int64_t>(value, backwards ? -1 : 0, backwards ? length - 1 : length);
    };
    bounds.start = backwards ? length - 1 : 0;
    bounds.stop = backwards ? -1 : length;
    if (!start.is(Kind::None)) {
        LOADER_TRY(const std::int64_t wanted, integerOf("a slice start", start));
        bounds.start = clamp(wanted);
    }
    if (!stop.is(Kind::None)) {
        LOADER_TRY(const std::int64_t wanted, integerOf("a slice end", stop));
        bounds.stop = clamp(wanted);
    }
    // A step beyond the length changes nothing but could overflow.
    bounds.step = std::clamp<std::int64_t>(bounds.step, -length - 1, length + 1);
    return bounds;
}

Result<Value> sliceText(Runtime& runtime, const Value& value, const Bounds& bounds) {
    const Text& text = value.text();
    const std::string_view bytes = text.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    const std::size_t characters = countCharacters(bytes);
    std::vector<std::size_t> starts;
    const bool ascii = characters == bytes.size();
    if (!ascii) {
        LOADER_CHECK(runtime.heap.expect((characters + 1) * sizeof(std::size_t)));
        starts.reserve(characters + 1);
        for (std::size_t i = 0; i < bytes.size(); i += utf8::decode(bytes.substr(i)).length)
            starts.push_back(i);
        starts.push_back(bytes.size());
    }
    const auto offset = [&](std::int64_t character) {
        const auto at = static_cast<std::size_t>(character);
        return ascii ? at : starts[at];
    };
    if (bounds.step == 1) {
        if (bounds.start >= bounds.stop) return runtime.makeText("", text.allFromTemplate());
        return runtime.makeText(text.part(offset(bounds.start), offset(bounds.stop)));
    }
    TextBuilder builder(runtime.heap);
    for (std::int64_t i = bounds.start; bounds.step > 0 ? i < bounds.stop : i > bounds.stop;
         i += bounds.step) {
        builder.append(text, offset(i), offset(i + 1));
    }
    return runtime.makeText(builder);
}

Result<Values> charactersOf(Runtime& runtime, const Text& text) {
    Values items;
    const std::string_view bytes = text.bytes();
    // Each character becomes a value of its own.
    LOADER_CHECK(runtime.heap.expect(countCharacters(bytes) * (sizeof(Value) + sizeof(TextObject))));
    for (std::size_t i = 0; i < bytes.size();) {
        LOADER_CHECK(runtime.meter.step());
        const std::size_t width = utf8::decode(bytes.substr(i)).length;
        LOADER_TRY(Value character, runtime.makeText(text.part(i, i + width)));
        items.push_back(std::move(character));
        i += width;
    }
    return items;
}

}  // namespace

Result<std::size_t> lengthOf(Runtime& runtime, const Value& value) {
    switch (value.kind()) {
        case Kind::Undefined:
            if (value.as<UndefinedObject>().forbidden) return undefinedUse(value);
            return std::size_t(0);
        case Kind::String:
            LOADER_CHECK(runtime.meter.step(value.bytes().size()));
            return countCharacters(value.bytes());
        case Kind::List:
        case Kind::Tuple:
        case Kind::View: return value.as<ListObject>().items.size();
        case Kind::Dict: return value.as<DictObject>().entries.size();
        case Kind::Range: return static_cast<std::size_t>(value.as<RangeObject>().count);
        default: return wrongType("there is no length of", value);
    }
}

Status checkKey(const Value& key) {
    if (key.is(Kind::List) || key.is(Kind::Dict)) return wrongType("no key can be", key);
    return {};
}

Result<const Value*> findKey(Runtime& runtime, const DictObject& dict, const Value& key) {
    LOADER_CHECK(checkKey(key));
    const std::size_t count = dict.entries.size();
    if (count > kKeysPerStep) LOADER_CHECK(runtime.meter.step(256 * (count / kKeysPerStep)));
    if (key.is(Kind::String)) return dict.find(key.bytes());
    for (const auto& entry : dict.entries) {
        LOADER_TRY(const bool same, equal(runtime, entry.first, key));
        if (same) return &entry.second;
    }
    return static_cast<const Value*>(nullptr);
}

Result<Value> attributeOf(Runtime& runtime, const Value& value, const Value& name) {
    const std::string& field = name.bytes();
    if (value.is(Kind::Undefined)) return undefinedUse(value);
    if (value.is(Kind::Namespace)) {
        const Value* const found = value.as<NamespaceObject>().find(field);
        if (found) return *found;
    }
    if (isForbiddenName(value, field)) {
        return runtime.makeUndefined(
            "access to attribute '" + field + "' of '" + std::string(typeName(value)) + "' object is unsafe",
            true);
    }
    if (hasMethod(value, field)) return Value::method();
    if (value.is(Kind::Dict)) {
        LOADER_TRY(const Value* const found, findKey(runtime, value.as<DictObject>(), name));
        if (found) return *found;
    }
    if (value.is(Kind::Tuple) && value.as<ListObject>().items.size() == 2) {
        // The pairs of groupby carry names.
        if (field == "grouper") return value.as<ListObject>().items[0];
        if (field == "list") return value.as<ListObject>().items[1];
    }
    if (value.is(Kind::Cycler) && field == "current") {
        const auto& cycler = value.as<CyclerObject>();
        return cycler.items[cycler.position];
    }
    LOADER_CHECK(runtime.heap.expect(field.size()));
    return runtime.makeUndefined("'" + std::string(typeName(value)) + " object' has no attribute '" + field +
                                 "'");
}

Result<Value> itemOf(Runtime& runtime, const Value& value, const Value& key) {
    if (value.is(Kind::Undefined)) return undefinedUse(value);
    if (value.is(Kind::Dict) && !key.is(Kind::List) && !key.is(Kind::Dict)) {
        LOADER_TRY(const Value* const found, findKey(runtime, value.as<DictObject>(), key));
        if (found) return *found;
    }
    const bool indexable = value.isArray() || value.is(Kind::String) || value.is(Kind::Range);
    if (indexable && key.isIntegral()) return indexInto(runtime, value, key.asInt());
    if (key.is(Kind::String)) return attributeOf(runtime, value, key);
    return runtime.makeUndefined("'" + std::string(typeName(value)) + " object' has no such item");
}

Result<Value> sliceOf(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
                      const Value& step) {
    if (!value.isArray() && !value.is(Kind::String) && !value.is(Kind::Range)) {
        if (value.is(Kind::Undefined)) return undefinedUse(value);
        return runtime.makeUndefined("'" + std::string(typeName(value)) + " object' cannot be sliced");
    }
    LOADER_TRY(const std::size_t length, lengthOf(runtime, value));
    if (length > static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max() / 4)) {
        return impossible("a slice of a range that is too long");
    }
    LOADER_TRY(const Bounds bounds, boundsOf(start, stop, step, static_cast<std::int64_t>(length)));
    if (value.is(Kind::String)) return sliceText(runtime, value, bounds);
    const std::int64_t distance = bounds.step > 0 ? bounds.stop - bounds.start : bounds.start - bounds.stop;
    const std::int64_t stride = bounds.step > 0 ? bounds.step : -bounds.step;
    const auto count = static_cast<std::size_t>(distance > 0 ? (distance + stride - 1) / stride : 0);
    if (count > runtime.heap.limit() / sizeof(Value)) return runtime.heap.full().error();
    LOADER_CHECK(runtime.heap.expect(count * sizeof(Value)));
    LOADER_CHECK(runtime.meter.step(count * sizeof(Value)));
    Values items;
    items.reserve(count);
    std::int64_t at = bounds.start;
    for (std::size_t i = 0; i < count; ++i, at += bounds.step) {
        const auto index = static_cast<std::size_t>(at);
        if (value.is(Kind::Range)) {
            items.push_back(Value::integer(value.as<RangeObject>().at(index), value.fromTemplate()));
        } else {
            items.push_back(value.as<ListObject>().items[index]);
        }
    }
    return runtime.makeList(std::move(items), value.is(Kind::Tuple) ? Kind::Tuple : Kind::List);
}

bool isIterable(const Value& value) {
    switch (value.kind()) {
        case Kind::Undefined: return !value.as<UndefinedObject>().forbidden;
        case Kind::String:
        case Kind::List:
        case Kind::Tuple:
        case Kind::Dict:
        case Kind::View:
        case Kind::Generator:
        case Kind::Range:
        case Kind::Loop: return true;
        default: return false;
    }
}

Result<Values> itemsOf(Runtime& runtime, const Value& value) {
    Values items;
    switch (value.kind()) {
        case Kind::Undefined:
            if (value.as<UndefinedObject>().forbidden) return undefinedUse(value);
            return items;
        case Kind::String: return charactersOf(runtime, value.text());
        case Kind::Range: {
            const auto& range = value.as<RangeObject>();
            if (range.count > runtime.heap.limit() / sizeof(Value)) return runtime.heap.full().error();
            LOADER_CHECK(runtime.heap.expect(range.count * sizeof(Value)));
            LOADER_CHECK(runtime.meter.step(range.count * sizeof(Value)));
            items.reserve(range.count);
            for (std::uint64_t i = 0; i < range.count; ++i) {
                items.push_back(Value::integer(range.at(i), value.fromTemplate()));
            }
            return items;
        }
        case Kind::Dict: {
            const Entries& entries = value.as<DictObject>().entries;
            LOADER_CHECK(runtime.heap.expect(entries.size() * sizeof(Value)));
            LOADER_CHECK(runtime.meter.step(entries.size() * sizeof(Value)));
            for (const auto& entry : entries)
                items.push_back(entry.first);
            return items;
        }
        case Kind::List:
        case Kind::Tuple:
        case Kind::View:
        case Kind::Generator: break;
        default: return wrongType("nothing to go through in", value);
    }
    auto& list = value.as<ListObject>();
    LOADER_CHECK(runtime.heap.expect((list.items.size() - list.position) * sizeof(Value)));
    LOADER_CHECK(runtime.meter.step((list.items.size() - list.position) * sizeof(Value)));
    items.assign(list.items.begin() + static_cast<std::ptrdiff_t>(list.position), list.items.end());
    if (value.is(Kind::Generator)) list.position = list.items.size();
    return items;
}

}  // namespace loader::chat
