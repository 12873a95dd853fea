// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <algorithm>

#include "core/engine/chat/filters.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"

namespace loader::chat {
namespace {

/// What a filter compares: the item, or the values under one path or several ("a,b").
Result<Value> sortKey(Runtime& runtime, const Value& item, const Value* path, bool caseSensitive) {
    if (!path || path->is(Kind::None)) return caseSensitive ? Result<Value>(item) : foldCase(runtime, item);
    Values parts;
    const bool several = path->is(Kind::String) && path->bytes().find(',') != std::string::npos;
    if (!several) {
        LOADER_TRY(Value part, followPath(runtime, item, *path));
        return caseSensitive ? Result<Value>(part) : foldCase(runtime, part);
    }
    const std::string_view bytes = path->bytes();
    for (std::size_t begin = 0; begin <= bytes.size();) {
        const std::size_t end = std::min(bytes.find(',', begin), bytes.size());
        LOADER_TRY(const Value one, runtime.makeText(bytes.substr(begin, end - begin), true));
        LOADER_TRY(Value part, followPath(runtime, item, one));
        if (!caseSensitive) {
            LOADER_TRY(part, foldCase(runtime, part));
        }
        parts.push_back(std::move(part));
        begin = end + 1;
    }
    return runtime.makeList(std::move(parts));
}

Result<Values> sortKeys(Runtime& runtime, const Values& items, const Value* path, bool caseSensitive) {
    Values keys;
    keys.reserve(items.size());
    for (const Value& item : items) {
        LOADER_TRY(Value key, sortKey(runtime, item, path, caseSensitive));
        keys.push_back(std::move(key));
    }
    return keys;
}

Result<Value> sortFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("sort", {"reverse", "case_sensitive", "attribute"}));
    LOADER_TRY(Values items, itemsOf(runtime, value));
    const bool caseSensitive = flagOf(arguments, 1, "case_sensitive", false);
    LOADER_TRY(const Values keys, sortKeys(runtime, items, arguments.get(2, "attribute"), caseSensitive));
    LOADER_CHECK(sortValues(runtime, items, keys, flagOf(arguments, 0, "reverse", false)));
    return runtime.makeList(std::move(items));
}

Result<Value> uniqueFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("unique", {"case_sensitive", "attribute"}));
    LOADER_TRY(const Values items, itemsOf(runtime, value));
    const bool caseSensitive = flagOf(arguments, 0, "case_sensitive", false);
    LOADER_TRY(const Values keys, sortKeys(runtime, items, arguments.get(1, "attribute"), caseSensitive));
    Values kept, seen;
    for (std::size_t i = 0; i < items.size(); ++i) {
        LOADER_CHECK(checkKey(keys[i]));
        bool known = false;
        for (std::size_t k = 0; k < seen.size() && !known; ++k) {
            LOADER_TRY(known, equal(runtime, seen[k], keys[i]));
        }
        if (known) continue;
        seen.push_back(keys[i]);
        kept.push_back(items[i]);
    }
    return runtime.makeGenerator(std::move(kept));
}

template <bool largest>
Result<Value> extremeFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect(largest ? "max" : "min", {"case_sensitive", "attribute"}));
    LOADER_TRY(const Values items, itemsOf(runtime, value));
    if (items.empty()) return runtime.makeUndefined("no aggregated item, sequence was empty");
    const bool caseSensitive = flagOf(arguments, 0, "case_sensitive", false);
    LOADER_TRY(const Values keys, sortKeys(runtime, items, arguments.get(1, "attribute"), caseSensitive));
    std::size_t best = 0;
    for (std::size_t i = 1; i < items.size(); ++i) {
        LOADER_TRY(const std::optional<int> result, order(runtime, keys[i], keys[best]));
        if (result && (largest ? *result > 0 : *result < 0)) best = i;
    }
    return items[best];
}

Result<Value> dictSortFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("dictsort", {"case_sensitive", "by", "reverse"}));
    if (!value.is(Kind::Dict)) return wrongType("dictsort needs a mapping instead of", value);
    const Value* const by = arguments.get(1, "by");
    const bool byValue = by && by->is(Kind::String) && by->bytes() == "value";
    if (by && !byValue && !(by->is(Kind::String) && by->bytes() == "key")) {
        return impossible("dictsort sorts by key or by value");
    }
    const bool caseSensitive = flagOf(arguments, 0, "case_sensitive", false);
    Values pairs, keys;
    for (const auto& entry : value.as<DictObject>().entries) {
        LOADER_CHECK(runtime.meter.step());
        LOADER_TRY(Value pair, runtime.makeList({entry.first, entry.second}, Kind::Tuple));
        pairs.push_back(std::move(pair));
        const Value& subject = byValue ? entry.second : entry.first;
        LOADER_TRY(Value key, caseSensitive ? Result<Value>(subject) : foldCase(runtime, subject));
        keys.push_back(std::move(key));
    }
    LOADER_CHECK(sortValues(runtime, pairs, keys, flagOf(arguments, 2, "reverse", false)));
    return runtime.makeList(std::move(pairs));
}

Result<Value> groupByFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("groupby", {"attribute", "default", "case_sensitive"}));
    const Value* const path = arguments.get(0, "attribute");
    const Value* const fallback = arguments.get(1, "default");
    if (!path) return impossible("groupby without an attribute");
    const bool caseSensitive = flagOf(arguments, 2, "case_sensitive", false);
    LOADER_TRY(Values items, itemsOf(runtime, value));
    Values names, keys, positions;
    for (const Value& item : items) {
        LOADER_TRY(Value name, followPath(runtime, item, *path));
        if (fallback && name.is(Kind::Undefined)) name = *fallback;
        LOADER_TRY(Value key, caseSensitive ? Result<Value>(name) : foldCase(runtime, name));
        positions.push_back(Value::integer(static_cast<std::int64_t>(names.size()), true));
        names.push_back(std::move(name));
        keys.push_back(std::move(key));
    }
    LOADER_CHECK(sortValues(runtime, positions, keys, false));
    Values groups;
    for (std::size_t i = 0; i < positions.size();) {
        const auto first = static_cast<std::size_t>(positions[i].asInt());
        Values members;
        for (bool same = true; i < positions.size(); ++i) {
            const auto at = static_cast<std::size_t>(positions[i].asInt());
            LOADER_TRY(same, equal(runtime, keys[first], keys[at]));
            // A key that differs even from itself (NaN) still forms a group.
            if (!same && !members.empty()) break;
            members.push_back(items[at]);
        }
        LOADER_TRY(Value list, runtime.makeList(std::move(members)));
        LOADER_TRY(Value pair, runtime.makeList({names[first], std::move(list)}, Kind::Tuple));
        groups.push_back(std::move(pair));
    }
    return runtime.makeList(std::move(groups));
}

constexpr FilterRow kFilters[] = {
    {"dictsort", dictSortFilter},  {"groupby", groupByFilter}, {"max", extremeFilter<true>},
    {"min", extremeFilter<false>}, {"sort", sortFilter},       {"unique", uniqueFilter},
};

}  // namespace

FilterFunction findOrderFilter(std::string_view name) {
    for (const FilterRow& row : kFilters) {
        if (row.name == name) return row.filter;
    }
    return nullptr;
}

}  // namespace loader::chat
