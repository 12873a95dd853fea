// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/methods.h"

#include <array>
#include <cmath>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/percent_format.h"
#include "core/engine/chat/text_functions.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

using Method = Result<Value> (*)(Runtime&, const Value&, const Arguments&);

template <CaseChange change>
Result<Value> textCase(Runtime& runtime, const Value& self, const Arguments&) {
    return changeCase(runtime, self, change);
}
constexpr Method textCapitalize = textCase<CaseChange::Capitalize>;
constexpr Method textLower = textCase<CaseChange::Lower>;
constexpr Method textUpper = textCase<CaseChange::Upper>;
constexpr Method textTitle = textCase<CaseChange::Title>;
constexpr Method textSwapCase = textCase<CaseChange::Swap>;

template <Side side>
Result<Value> textStripSide(Runtime& runtime, const Value& self, const Arguments& arguments) {
    return stripText(runtime, self, arguments.get(0, "chars"), side);
}
constexpr Method textStrip = textStripSide<Side::Both>;
constexpr Method textLstrip = textStripSide<Side::Left>;
constexpr Method textRstrip = textStripSide<Side::Right>;

template <Side side>
Result<Value> textPad(Runtime& runtime, const Value& self, const Arguments& arguments) {
    LOADER_TRY(const std::int64_t width, integerOf("a width", arguments.positional[0]));
    return padText(runtime, self, width, arguments.get(1, "fillchar"), side);
}
constexpr Method textCenter = textPad<Side::Both>;
constexpr Method textLjust = textPad<Side::Right>;
constexpr Method textRjust = textPad<Side::Left>;

Result<Value> textZfill(Runtime& runtime, const Value& self, const Arguments& arguments) {
    LOADER_TRY(const std::int64_t width, integerOf("a width", arguments.positional[0]));
    const std::string& bytes = self.bytes();
    const bool isSigned = !bytes.empty() && (bytes[0] == '-' || bytes[0] == '+');
    LOADER_TRY(const Value zero, runtime.makeText("0", self.fromTemplate()));
    LOADER_TRY(const Value body, runtime.makeText(self.text().part(isSigned ? 1 : 0, bytes.size())));
    LOADER_TRY(const Value filled,
               padText(runtime, body, isSigned && width > 0 ? width - 1 : width, &zero, Side::Left));
    TextBuilder out(runtime.heap);
    out.append(self.text(), 0, isSigned ? 1 : 0);
    out.append(filled.text());
    return runtime.makeText(out);
}

template <bool last, bool strict>
Result<Value> textFindAny(Runtime& runtime, const Value& self, const Arguments& arguments) {
    LOADER_TRY(const std::int64_t at, findText(runtime, self, arguments, last));
    if (strict && at < 0) return impossible("index of a text that is not there");
    return Value::integer(at, false);
}
constexpr Method textFind = textFindAny<false, false>;
constexpr Method textRfind = textFindAny<true, false>;
constexpr Method textIndex = textFindAny<false, true>;
constexpr Method textRindex = textFindAny<true, true>;

Result<Value> textCount(Runtime& runtime, const Value& self, const Arguments& arguments) {
    LOADER_TRY(const std::int64_t count, countText(runtime, self, arguments));
    return Value::integer(count, false);
}

template <bool atEnd>
Result<Value> textEdge(Runtime& runtime, const Value& self, const Arguments& arguments) {
    LOADER_TRY(const bool matches, matchesEdge(runtime, self, arguments, atEnd));
    return Value::boolean(matches, false);
}
constexpr Method textStartsWith = textEdge<false>;
constexpr Method textEndsWith = textEdge<true>;

Result<Value> textFormat(Runtime& runtime, const Value& self, const Arguments& arguments) {
    return formatBraces(runtime, self, arguments);
}

template <bool (*accept)(char32_t)>
Result<Value> textAll(Runtime& runtime, const Value& self, const Arguments&) {
    const std::string_view bytes = self.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    bool all = !bytes.empty();
    for (std::size_t i = 0; i < bytes.size() && all;) {
        const utf8::Decoded c = utf8::decode(bytes.substr(i));
        all = accept(c.codePoint);
        i += c.length;
    }
    return Value::boolean(all, false);
}
constexpr Method textIsAlnum = textAll<isAlnum>;
constexpr Method textIsAlpha = textAll<isAlpha>;
constexpr Method textIsDecimal = textAll<isDecimal>;
constexpr Method textIsDigit = textAll<isDigit>;
constexpr Method textIsSpace = textAll<isSpace>;

/// At least one cased character, and none of the other case.
template <bool upper>
Result<Value> textIsCase(Runtime& runtime, const Value& self, const Arguments&) {
    const std::string_view bytes = self.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    bool found = false;
    bool other = false;
    for (std::size_t i = 0; i < bytes.size();) {
        const utf8::Decoded c = utf8::decode(bytes.substr(i));
        found = found || (upper ? isUpper(c.codePoint) : isLower(c.codePoint));
        other = other || (upper ? isLower(c.codePoint) : isUpper(c.codePoint));
        i += c.length;
    }
    return Value::boolean(found && !other, false);
}
constexpr Method textIsUpper = textIsCase<true>;
constexpr Method textIsLower = textIsCase<false>;

Result<Value> textJoin(Runtime& runtime, const Value& self, const Arguments& arguments) {
    LOADER_TRY(const Values items, itemsOf(runtime, arguments.positional[0]));
    for (const Value& item : items) {
        if (!item.is(Kind::String)) return wrongType("join needs text instead of", item);
    }
    return joinTexts(runtime, self.text(), items);
}

template <bool fromRight>
Result<Value> textSplitAny(Runtime& runtime, const Value& self, const Arguments& arguments) {
    std::int64_t limit = -1;
    if (const Value* const given = arguments.get(1, "maxsplit")) {
        LOADER_TRY(limit, integerOf("maxsplit", *given));
    }
    return splitText(runtime, self, arguments.get(0, "sep"), limit, fromRight);
}
constexpr Method textSplit = textSplitAny<false>;
constexpr Method textRsplit = textSplitAny<true>;

Result<Value> textSplitLines(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Value* const keep = arguments.get(0, "keepends");
    return splitLines(runtime, self, keep && isTrue(*keep));
}

template <bool last>
Result<Value> textPartitionAny(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Value& separator = arguments.positional[0];
    if (!separator.is(Kind::String) || separator.bytes().empty()) return impossible("a partition at no text");
    const Text& text = self.text();
    LOADER_CHECK(runtime.meter.step(text.size()));
    const std::size_t at =
        last ? text.bytes().rfind(separator.bytes()) : text.bytes().find(separator.bytes());
    const bool found = at != std::string::npos;
    const std::size_t headEnd = found ? at : last ? 0 : text.size();
    const std::size_t tailBegin = found ? at + separator.bytes().size() : headEnd;
    LOADER_TRY(Value head, runtime.makeText(text.part(0, headEnd)));
    LOADER_TRY(Value middle, runtime.makeText(text.part(headEnd, tailBegin)));
    LOADER_TRY(Value tail, runtime.makeText(text.part(tailBegin, text.size())));
    Values items;
    items.push_back(std::move(head));
    items.push_back(std::move(middle));
    items.push_back(std::move(tail));
    return runtime.makeList(std::move(items), Kind::Tuple);
}
constexpr Method textPartition = textPartitionAny<false>;
constexpr Method textRpartition = textPartitionAny<true>;

template <bool atEnd>
Result<Value> textRemoveEdge(Runtime& runtime, const Value& self, const Arguments& arguments) {
    Arguments one;
    one.positional = {arguments.positional[0]};
    LOADER_TRY(const bool matches, matchesEdge(runtime, self, one, atEnd));
    if (!matches || !one.positional[0].is(Kind::String)) return self;
    const std::size_t size = self.bytes().size();
    const std::size_t gone = one.positional[0].bytes().size();
    return runtime.makeText(atEnd ? self.text().part(0, size - gone) : self.text().part(gone, size));
}
constexpr Method textRemovePrefix = textRemoveEdge<false>;
constexpr Method textRemoveSuffix = textRemoveEdge<true>;

Result<Value> textReplace(Runtime& runtime, const Value& self, const Arguments& arguments) {
    std::int64_t count = -1;
    if (const Value* const given = arguments.get(2, "count")) {
        LOADER_TRY(count, integerOf("count", *given));
    }
    return replaceText(runtime, self, arguments.positional[0], arguments.positional[1], count);
}

Result<Value> copyOf(Runtime&, const Value& self, const Arguments&) {
    return self;
}

Result<Value> dictGet(Runtime& runtime, const Value& self, const Arguments& arguments) {
    LOADER_TRY(const Value* const found, findKey(runtime, self.as<DictObject>(), arguments.positional[0]));
    if (found) return *found;
    const Value* const fallback = arguments.get(1, "default");
    return fallback ? *fallback : Value::none(true);
}

Result<Value> dictView(Runtime& runtime, const Value& self, std::string_view label) {
    const Entries& entries = self.as<DictObject>().entries;
    LOADER_CHECK(runtime.heap.expect(entries.size() * sizeof(Value)));
    LOADER_CHECK(runtime.meter.step(entries.size() * sizeof(Value)));
    Values items;
    items.reserve(entries.size());
    for (const auto& entry : entries) {
        if (label != "dict_items") {
            items.push_back(label == "dict_keys" ? entry.first : entry.second);
            continue;
        }
        LOADER_TRY(Value pair, runtime.makeList({entry.first, entry.second}, Kind::Tuple));
        items.push_back(std::move(pair));
    }
    return runtime.makeGenerator(std::move(items), label);
}

Result<Value> dictItems(Runtime& runtime, const Value& self, const Arguments&) {
    return dictView(runtime, self, "dict_items");
}
Result<Value> dictKeys(Runtime& runtime, const Value& self, const Arguments&) {
    return dictView(runtime, self, "dict_keys");
}
Result<Value> dictValues(Runtime& runtime, const Value& self, const Arguments&) {
    return dictView(runtime, self, "dict_values");
}

Result<Value> listCount(Runtime& runtime, const Value& self, const Arguments& arguments) {
    std::int64_t count = 0;
    for (const Value& item : self.as<ListObject>().items) {
        LOADER_TRY(const bool same, equal(runtime, item, arguments.positional[0]));
        count += same ? 1 : 0;
    }
    return Value::integer(count, false);
}

Result<Value> listIndex(Runtime& runtime, const Value& self, const Arguments& arguments) {
    const Values& items = self.as<ListObject>().items;
    if (arguments.positional.size() > 1) return impossible("index with a start is not supported");
    for (std::size_t i = 0; i < items.size(); ++i) {
        LOADER_TRY(const bool same, equal(runtime, items[i], arguments.positional[0]));
        if (same) return Value::integer(static_cast<std::int64_t>(i), false);
    }
    return impossible("index of a value that is not there");
}

Result<Value> floatIsInteger(Runtime&, const Value& self, const Arguments&) {
    const double value = self.asDouble();
    return Value::boolean(std::isfinite(value) && value == std::floor(value), self.fromTemplate());
}

Result<Value> cyclerNext(Runtime&, const Value& self, const Arguments&) {
    auto& cycler = self.as<CyclerObject>();
    const Value value = cycler.items[cycler.position];
    cycler.position = (cycler.position + 1) % cycler.items.size();
    return value;
}

Result<Value> cyclerReset(Runtime&, const Value& self, const Arguments&) {
    self.as<CyclerObject>().position = 0;
    return Value::none(true);
}

struct Row {
    Kind kind;
    std::string_view name;
    Method method;
    std::size_t least, most;
};

constexpr Row kMethods[] = {
#define LOADER_METHOD(kind, name, function, least, most) {Kind::kind, #name, function, least, most},
#include "core/engine/chat/methods.inc"
#undef LOADER_METHOD
};

constexpr std::array<std::string_view, 8> kListChanges = {"append", "clear",  "extend",  "insert",
                                                          "pop",    "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 5> kDictChanges = {"clear", "pop", "popitem", "setdefault", "update"};

const Row* findMethod(const Value& value, std::string_view name) {
    for (const Row& row : kMethods) {
        if (row.kind == value.kind() && row.name == name) return &row;
    }
    return nullptr;
}

template <class Names>
bool anyOf(const Names& names, std::string_view name) {
    for (const std::string_view candidate : names) {
        if (candidate == name) return true;
    }
    return false;
}

}  // namespace

bool hasMethod(const Value& value, std::string_view name) {
    return findMethod(value, name) != nullptr;
}

bool isForbiddenName(const Value& value, std::string_view name) {
    if (value.is(Kind::List) && anyOf(kListChanges, name)) return true;
    if (value.is(Kind::Dict) && anyOf(kDictChanges, name)) return true;
    return name.substr(0, 2) == "__" || name == "mro";
}

Result<Value> callMethod(Runtime& runtime, const Value& receiver, std::string_view name,
                         const Arguments& arguments) {
    const Row* const row = findMethod(receiver, name);
    if (!row) return impossible("there is no method '" + std::string(name.substr(0, 80)) + "'");
    const std::size_t given = arguments.positional.size();
    if (given < row->least || given > row->most) {
        return impossible("the method '" + std::string(name) + "' does not take " + std::to_string(given) +
                          " arguments");
    }
    return row->method(runtime, receiver, arguments);
}

}  // namespace loader::chat
