// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <algorithm>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/escape.h"
#include "core/engine/chat/filters.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/percent_format.h"
#include "core/engine/chat/print.h"
#include "core/engine/chat/text_functions.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

template <CaseChange change>
Result<Value> caseFilter(Runtime& runtime, const Value& value, const Arguments&) {
    LOADER_TRY(const Value text, textOf(runtime, value));
    return changeCase(runtime, text, change);
}

/// Unlike str.title, only what follows white space or an opening bracket or a hyphen begins a word.
Result<Value> titleFilter(Runtime& runtime, const Value& value, const Arguments&) {
    LOADER_TRY(const Value textValue, textOf(runtime, value));
    const Text& text = textValue.text();
    const std::string_view bytes = text.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size() * 4));
    TextBuilder out(runtime.heap);
    bool begins = true;
    for (std::size_t i = 0; i < bytes.size();) {
        const utf8::Decoded c = utf8::decode(bytes.substr(i));
        std::string_view special;
        const char32_t changed = begins ? toUpper(c.codePoint, special) : toLower(c.codePoint);
        if (special.empty()) {
            out.appendCodePoint(changed, text.originAt(i));
        } else {
            out.append(special, text.originAt(i));
        }
        begins = isSpace(c.codePoint) ||
                 (c.codePoint < 0x80 &&
                  std::string_view("-({[<").find(static_cast<char>(c.codePoint)) != std::string_view::npos);
        i += c.length;
    }
    return runtime.makeText(out);
}

Result<Value> trimFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("trim", {"chars"}));
    LOADER_TRY(const Value text, textOf(runtime, value));
    return stripText(runtime, text, arguments.get(0, "chars"), Side::Both);
}

Result<Value> replaceFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("replace", {"old", "new", "count"}));
    const Value* const from = arguments.get(0, "old");
    const Value* const to = arguments.get(1, "new");
    const Value* const limit = arguments.get(2, "count");
    if (!from || !to) return impossible("replace without old and new text");
    std::int64_t count = -1;
    if (limit && !limit->is(Kind::None)) {
        LOADER_TRY(count, integerOf("count", *limit));
    }
    LOADER_TRY(const Value text, textOf(runtime, value));
    LOADER_TRY(const Value oldText, textOf(runtime, *from));
    LOADER_TRY(const Value newText, textOf(runtime, *to));
    return replaceText(runtime, text, oldText, newText, count);
}

Result<Value> indentWith(Runtime& runtime, const Arguments& arguments) {
    const Value* const width = arguments.get(0, "width");
    if (width && width->is(Kind::String)) return *width;
    std::int64_t count = 4;
    if (width) {
        LOADER_TRY(count, integerOf("a width", *width));
    }
    LOADER_TRY(const Value blank, runtime.makeText(" ", true));
    return calculate(runtime, Operator::Multiply, blank, Value::integer(count, true));
}

Result<Value> indentFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("indent", {"width", "first", "blank"}));
    LOADER_TRY(const Value indention, indentWith(runtime, arguments));
    const bool first = flagOf(arguments, 1, "first", false);
    const bool blank = flagOf(arguments, 2, "blank", false);
    LOADER_TRY(const Value body, textOf(runtime, value));
    // With a line end behind it, the last line counts even where it is empty.
    LOADER_TRY(const Value lineEnd, runtime.makeText("\n", true));
    LOADER_TRY(const Value closed, calculate(runtime, Operator::Add, body, lineEnd));
    LOADER_TRY(const Value lines, splitLines(runtime, closed, false));
    TextBuilder out(runtime.heap);
    const Values& items = lines.as<ListObject>().items;
    for (std::size_t i = 0; i < items.size(); ++i) {
        LOADER_CHECK(runtime.meter.step(items[i].bytes().size() + indention.bytes().size()));
        if (i != 0) out.append("\n", body.fromTemplate());
        if (i == 0 ? first : blank || !items[i].bytes().empty()) out.append(indention.text());
        out.append(items[i].text());
        LOADER_CHECK(out.status());
    }
    return runtime.makeText(out);
}

Result<Value> centerFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("center", {"width"}));
    const Value* const width = arguments.get(0, "width");
    std::int64_t count = 80;
    if (width) {
        LOADER_TRY(count, integerOf("a width", *width));
    }
    LOADER_TRY(const Value text, textOf(runtime, value));
    return padText(runtime, text, count, nullptr, Side::Both);
}

Result<Value> formatFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_TRY(const Value text, textOf(runtime, value));
    if (arguments.named.empty()) {
        LOADER_TRY(const Value values, runtime.makeList(arguments.positional, Kind::Tuple));
        return formatPercent(runtime, text, values);
    }
    if (!arguments.positional.empty()) return impossible("format takes either positional or named values");
    Entries entries;
    for (const auto& argument : arguments.named) {
        LOADER_TRY(Value key, runtime.makeText(argument.first, true));
        entries.emplace_back(std::move(key), argument.second);
    }
    LOADER_TRY(const Value values, runtime.makeDict(std::move(entries)));
    return formatPercent(runtime, text, values);
}

Result<Value> truncateFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("truncate", {"length", "killwords", "end", "leeway"}));
    std::int64_t length = 255;
    std::int64_t leeway = 5;
    if (const Value* const given = arguments.get(0, "length")) {
        LOADER_TRY(length, integerOf("a length", *given));
    }
    if (const Value* const given = arguments.get(3, "leeway")) {
        if (!given->is(Kind::None)) {
            LOADER_TRY(leeway, integerOf("a leeway", *given));
        }
    }
    const Value* const given = arguments.get(2, "end");
    LOADER_TRY(const Value dots, runtime.makeText("...", true));
    LOADER_TRY(const Value end, textOf(runtime, given ? *given : dots));
    LOADER_TRY(const Value text, textOf(runtime, value));
    const auto ending = static_cast<std::int64_t>(countCharacters(end.bytes()));
    if (length < ending || leeway < 0)
        return impossible("a text cannot be truncated to less than its ending");
    const auto size = static_cast<std::int64_t>(countCharacters(text.bytes()));
    // Neither sum can overflow once one of them is known to be small.
    if (size <= length || size - length <= leeway) return text;
    LOADER_TRY(Value kept, sliceOf(runtime, text, Value(), Value::integer(length - ending, true), Value()));
    if (!flagOf(arguments, 1, "killwords", false)) {
        const std::size_t blank = kept.bytes().rfind(' ');
        if (blank != std::string::npos) {
            LOADER_TRY(kept, runtime.makeText(kept.text().part(0, blank)));
        }
    }
    return calculate(runtime, Operator::Add, kept, end);
}

Result<Value> wordCountFilter(Runtime& runtime, const Value& value, const Arguments&) {
    LOADER_TRY(const Value text, textOf(runtime, value));
    const std::string_view bytes = text.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size() * 4));
    std::int64_t count = 0;
    bool within = false;
    for (std::size_t i = 0; i < bytes.size();) {
        const utf8::Decoded c = utf8::decode(bytes.substr(i));
        const bool word = c.codePoint == '_' || isAlnum(c.codePoint);
        count += word && !within ? 1 : 0;
        within = word;
        i += c.length;
    }
    return Value::integer(count, false);
}

Result<Value> escapeFilter(Runtime& runtime, const Value& value, const Arguments&) {
    if (value.is(Kind::String) && value.as<TextObject>().markup) return value;
    LOADER_TRY(const Value text, textOf(runtime, value));
    LOADER_CHECK(runtime.meter.step(text.bytes().size()));
    TextBuilder out(runtime.heap);
    appendEscaped(out, text.text());
    return runtime.makeMarkup(out);
}

Result<Value> safeFilter(Runtime& runtime, const Value& value, const Arguments&) {
    LOADER_TRY(const Value text, textOf(runtime, value));
    LOADER_CHECK(runtime.meter.step(text.bytes().size()));
    TextBuilder out(runtime.heap);
    out.append(text.text());
    return runtime.makeMarkup(out);
}

Result<Value> stringFilter(Runtime& runtime, const Value& value, const Arguments&) {
    if (value.is(Kind::Undefined)) return runtime.makeText("", true);
    return textOf(runtime, value);
}

Status appendQuoted(Runtime& runtime, TextBuilder& out, const Value& value, bool keepSlash) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    LOADER_TRY(const Value text, textOf(runtime, value));
    LOADER_CHECK(runtime.meter.step(text.bytes().size() * 4));
    for (std::size_t i = 0; i < text.bytes().size(); ++i) {
        const char c = text.bytes()[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && keepSlash);
        const auto byte = static_cast<unsigned char>(c);
        const char escape[] = {'%', kHex[byte >> 4], kHex[byte & 15]};
        out.append(plain ? std::string_view(&c, 1) : std::string_view(escape, 3), text.text().originAt(i));
    }
    return out.status();
}

Result<Value> urlEncodeFilter(Runtime& runtime, const Value& value, const Arguments&) {
    TextBuilder out(runtime.heap);
    if (!value.is(Kind::Dict)) {
        LOADER_CHECK(appendQuoted(runtime, out, value, true));
        return runtime.makeText(out);
    }
    bool first = true;
    for (const auto& entry : value.as<DictObject>().entries) {
        if (!first) out.append("&", false);
        first = false;
        LOADER_CHECK(appendQuoted(runtime, out, entry.first, false));
        out.append("=", false);
        LOADER_CHECK(appendQuoted(runtime, out, entry.second, false));
    }
    return runtime.makeText(out);
}

constexpr FilterRow kFilters[] = {
    {"capitalize", caseFilter<CaseChange::Capitalize>},
    {"center", centerFilter},
    {"e", escapeFilter},
    {"escape", escapeFilter},
    {"forceescape", escapeFilter},
    {"format", formatFilter},
    {"indent", indentFilter},
    {"lower", caseFilter<CaseChange::Lower>},
    {"replace", replaceFilter},
    {"safe", safeFilter},
    {"string", stringFilter},
    {"title", titleFilter},
    {"trim", trimFilter},
    {"truncate", truncateFilter},
    {"upper", caseFilter<CaseChange::Upper>},
    {"urlencode", urlEncodeFilter},
    {"wordcount", wordCountFilter},
};

}  // namespace

FilterFunction findTextFilter(std::string_view name) {
    for (const FilterRow& row : kFilters) {
        if (row.name == name) return row.filter;
    }
    return nullptr;
}

}  // namespace loader::chat
