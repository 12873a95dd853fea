// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <algorithm>
#include <charconv>

#include "core/engine/chat/filters.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/print.h"
#include "core/engine/chat/text_functions.h"

namespace loader::chat {

bool flagOf(const Arguments& arguments, std::size_t position, std::string_view name, bool otherwise) {
    const Value* const given = arguments.get(position, name);
    return given ? isTrue(*given) : otherwise;
}

Result<Value> foldCase(Runtime& runtime, const Value& value) {
    return value.is(Kind::String) ? changeCase(runtime, value, CaseChange::Lower) : Result<Value>(value);
}

Result<Value> followPath(Runtime& runtime, const Value& value, const Value& path) {
    if (!path.is(Kind::String)) return itemOf(runtime, value, path);
    Value current = value;
    const std::string_view bytes = path.bytes();
    for (std::size_t begin = 0; begin <= bytes.size();) {
        const std::size_t end = std::min(bytes.find('.', begin), bytes.size());
        const std::string_view part = bytes.substr(begin, end - begin);
        std::int64_t index = 0;
        const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
        const bool isIndex = !part.empty() && part[0] != '-' && parsed.ec == std::errc{} &&
                             parsed.ptr == part.data() + part.size();
        LOADER_TRY(const Value key,
                   isIndex ? Result<Value>(Value::integer(index, true)) : runtime.makeText(part, true));
        LOADER_TRY(current, itemOf(runtime, current, key));
        begin = end + 1;
    }
    return current;
}

namespace {

Result<Value> lengthFilter(Runtime& runtime, const Value& value, const Arguments&) {
    LOADER_TRY(const std::size_t length, lengthOf(runtime, value));
    if (length > static_cast<std::size_t>(INT64_MAX)) return impossible("a number that is too large");
    return Value::integer(static_cast<std::int64_t>(length), false);
}

Result<Value> joinFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("join", {"d", "attribute"}));
    LOADER_TRY(Values items, itemsOf(runtime, value));
    const Value* const path = arguments.get(1, "attribute");
    if (path && !path->is(Kind::None)) {
        for (Value& item : items) {
            LOADER_TRY(item, followPath(runtime, item, *path));
        }
    }
    const Value* const separator = arguments.get(0, "d");
    if (!separator) return joinTexts(runtime, Text(), items);
    LOADER_TRY(const Value text, textOf(runtime, *separator));
    return joinTexts(runtime, text.text(), items);
}

Result<Value> listFilter(Runtime& runtime, const Value& value, const Arguments&) {
    LOADER_TRY(Values items, itemsOf(runtime, value));
    return runtime.makeList(std::move(items));
}

Result<Value> firstFilter(Runtime& runtime, const Value& value, const Arguments&) {
    if (value.is(Kind::Range) && value.as<RangeObject>().count != 0) {
        return Value::integer(value.as<RangeObject>().start, value.fromTemplate());
    }
    LOADER_TRY(const Values items, itemsOf(runtime, value));
    return items.empty() ? runtime.makeUndefined("no first item, sequence was empty") : items.front();
}

Result<Value> lastFilter(Runtime& runtime, const Value& value, const Arguments&) {
    if (value.is(Kind::Generator)) return impossible("a generator has no last item");
    LOADER_TRY(const Values items, itemsOf(runtime, value));
    return items.empty() ? runtime.makeUndefined("no last item, sequence was empty") : items.back();
}

Result<Value> reverseFilter(Runtime& runtime, const Value& value, const Arguments&) {
    LOADER_TRY(Values items, itemsOf(runtime, value));
    std::reverse(items.begin(), items.end());
    return value.is(Kind::String) ? joinTexts(runtime, Text(), items)
                                  : runtime.makeGenerator(std::move(items));
}

Result<Value> itemsFilter(Runtime& runtime, const Value& value, const Arguments&) {
    Values pairs;
    if (value.is(Kind::Undefined) && !value.as<UndefinedObject>().forbidden) return runtime.makeGenerator({});
    if (!value.is(Kind::Dict)) return wrongType("item pairs come only from a mapping, not from", value);
    const Entries& entries = value.as<DictObject>().entries;
    LOADER_CHECK(runtime.meter.step(entries.size() * sizeof(Value)));
    for (const auto& entry : entries) {
        LOADER_TRY(Value pair, runtime.makeList({entry.first, entry.second}, Kind::Tuple));
        pairs.push_back(std::move(pair));
    }
    return runtime.makeGenerator(std::move(pairs));
}

Result<Value> mapFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_TRY(Values items, itemsOf(runtime, value));
    if (arguments.positional.empty()) {
        LOADER_CHECK(arguments.expect("map", {"attribute", "default"}));
        const Value* const path = arguments.get(0, "attribute");
        const Value* const fallback = arguments.get(1, "default");
        if (!path) return impossible("map without a filter");
        for (Value& item : items) {
            LOADER_TRY(item, followPath(runtime, item, *path));
            if (fallback && item.is(Kind::Undefined)) item = *fallback;
        }
        return runtime.makeGenerator(std::move(items));
    }
    Arguments rest = arguments;
    const Value name = rest.positional.front();
    if (!name.is(Kind::String)) return wrongType("no filter is called by", name);
    rest.positional.erase(rest.positional.begin());
    for (Value& item : items) {
        LOADER_TRY(item, runtime.applyFilter(name.bytes(), item, rest));
    }
    return runtime.makeGenerator(std::move(items));
}

/// select, reject, selectattr and rejectattr.
template <bool wanted, bool byAttribute>
Result<Value> selectFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_TRY(const Values items, itemsOf(runtime, value));
    Arguments rest = arguments;
    Value path;
    if (byAttribute) {
        if (rest.positional.empty()) return impossible("an attribute is missing");
        path = rest.positional.front();
        rest.positional.erase(rest.positional.begin());
    }
    Value name;
    if (!rest.positional.empty()) {
        name = rest.positional.front();
        if (!name.is(Kind::String)) return wrongType("no test is called by", name);
        rest.positional.erase(rest.positional.begin());
    }
    Values kept;
    for (const Value& item : items) {
        LOADER_CHECK(runtime.meter.step());
        LOADER_TRY(const Value subject, byAttribute ? followPath(runtime, item, path) : Result<Value>(item));
        bool holds = isTrue(subject);
        if (name.is(Kind::String)) {
            LOADER_TRY(holds, runtime.applyTest(name.bytes(), subject, rest));
        }
        if (holds == wanted) kept.push_back(item);
    }
    return runtime.makeGenerator(std::move(kept));
}

Result<Value> batchFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("batch", {"linecount", "fill_with"}));
    const Value* const size = arguments.get(0, "linecount");
    const Value* const fill = arguments.get(1, "fill_with");
    if (!size) return impossible("batch without a count");
    LOADER_TRY(const std::int64_t count, integerOf("a count", *size));
    if (count < 1) return impossible("a batch of less than one");
    LOADER_TRY(const Values items, itemsOf(runtime, value));
    Values batches;
    for (std::size_t i = 0; i < items.size(); i += static_cast<std::size_t>(count)) {
        const std::size_t end = items.size() - i < static_cast<std::size_t>(count)
                                    ? items.size()
                                    : i + static_cast<std::size_t>(count);
        Values batch(items.begin() + static_cast<std::ptrdiff_t>(i),
                     items.begin() + static_cast<std::ptrdiff_t>(end));
        const std::size_t missing = static_cast<std::size_t>(count) - batch.size();
        if (fill && !fill->is(Kind::None) && missing != 0) {
            if (missing > runtime.heap.limit() / sizeof(Value)) return runtime.heap.full().error();
            LOADER_CHECK(runtime.heap.expect(missing * sizeof(Value)));
            LOADER_CHECK(runtime.meter.step(missing * sizeof(Value)));
            batch.insert(batch.end(), missing, *fill);
        }
        LOADER_TRY(Value list, runtime.makeList(std::move(batch)));
        batches.push_back(std::move(list));
        // The last step could pass the end of the number range.
        if (end == items.size()) break;
    }
    return runtime.makeGenerator(std::move(batches));
}

Result<Value> sliceFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("slice", {"slices", "fill_with"}));
    const Value* const number = arguments.get(0, "slices");
    const Value* const fill = arguments.get(1, "fill_with");
    if (!number) return impossible("slice without a number");
    LOADER_TRY(const std::int64_t given, integerOf("a number of slices", *number));
    if (given < 1) return impossible("less than one slice");
    LOADER_TRY(const Values items, itemsOf(runtime, value));
    const auto slices = static_cast<std::size_t>(given);
    if (slices > runtime.heap.limit() / sizeof(ListObject)) return runtime.heap.full().error();
    LOADER_CHECK(runtime.heap.expect(slices * sizeof(ListObject)));
    const std::size_t each = items.size() / slices;
    const std::size_t extra = items.size() % slices;
    Values lists;
    std::size_t at = 0;
    for (std::size_t i = 0; i < slices; ++i) {
        LOADER_CHECK(runtime.meter.step());
        const std::size_t size = each + (i < extra ? 1 : 0);
        const auto begin = items.begin() + static_cast<std::ptrdiff_t>(at);
        Values part(begin, begin + static_cast<std::ptrdiff_t>(size));
        at += size;
        if (fill && !fill->is(Kind::None) && i >= extra) part.push_back(*fill);
        LOADER_TRY(Value list, runtime.makeList(std::move(part)));
        lists.push_back(std::move(list));
    }
    return runtime.makeGenerator(std::move(lists));
}

Result<Value> sumFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("sum", {"attribute", "start"}));
    const Value* const path = arguments.get(0, "attribute");
    const Value* const start = arguments.get(1, "start");
    Value total = start ? *start : Value::integer(0, true);
    if (total.is(Kind::String)) return impossible("text cannot be summed");
    LOADER_TRY(const Values items, itemsOf(runtime, value));
    for (const Value& item : items) {
        const bool byPath = path && !path->is(Kind::None);
        LOADER_TRY(const Value term, byPath ? followPath(runtime, item, *path) : Result<Value>(item));
        LOADER_TRY(total, calculate(runtime, Operator::Add, total, term));
    }
    return total;
}

constexpr FilterRow kFilters[] = {
    {"batch", batchFilter},
    {"count", lengthFilter},
    {"first", firstFilter},
    {"items", itemsFilter},
    {"join", joinFilter},
    {"last", lastFilter},
    {"length", lengthFilter},
    {"list", listFilter},
    {"map", mapFilter},
    {"reject", selectFilter<false, false>},
    {"rejectattr", selectFilter<false, true>},
    {"reverse", reverseFilter},
    {"select", selectFilter<true, false>},
    {"selectattr", selectFilter<true, true>},
    {"slice", sliceFilter},
    {"sum", sumFilter},
};

}  // namespace

FilterFunction findListFilter(std::string_view name) {
    for (const FilterRow& row : kFilters) {
        if (row.name == name) return row.filter;
    }
    return nullptr;
}

}  // namespace loader::chat
