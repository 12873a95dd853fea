// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/engine/chat/filters.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/print.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

std::string_view stripped(std::string_view text) {
    text.remove_prefix(leadingSpace(text));
    text.remove_suffix(trailingSpace(text));
    return text;
}

/// A number as Python's int() and float() read it: white space around, one sign, single underscores within.
std::optional<std::string> plainNumber(std::string_view text) {
    std::string out;
    text = stripped(text);
    if (!text.empty() && text[0] == '+') text.remove_prefix(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '_') {
            out += text[i];
            continue;
        }
        const bool between = i > 0 && i + 1 < text.size() &&
                             isAlnum(static_cast<unsigned char>(text[i - 1])) &&
                             isAlnum(static_cast<unsigned char>(text[i + 1]));
        if (!between) return std::nullopt;
    }
    if (out.empty() || out[0] == '+') return std::nullopt;
    return out;
}

std::optional<double> parseFloat(std::string_view text) {
    const std::optional<std::string> plain = plainNumber(text);
    if (!plain) return std::nullopt;
    double value = 0;
    const char* const end = plain->data() + plain->size();
    const auto parsed = std::from_chars(plain->data(), end, value);
    if (parsed.ptr != end || parsed.ec == std::errc::invalid_argument) return std::nullopt;
    if (parsed.ec == std::errc::result_out_of_range) return HUGE_VAL * (plain->front() == '-' ? -1 : 1);
    return value;
}

std::optional<Value> integerOfDouble(double value, bool origin) {
    if (!(std::abs(value) < 9.2e18)) return std::nullopt;
    return Value::integer(static_cast<std::int64_t>(value), origin);
}

Result<Value> intFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("int", {"default", "base"}));
    const Value* const given = arguments.get(0, "default");
    const Value otherwise = given ? *given : Value::integer(0, true);
    const bool origin = value.fromTemplate();
    if (value.is(Kind::Undefined)) return undefinedUse(value);
    if (value.isIntegral()) return Value::integer(value.asInt(), origin);
    if (value.is(Kind::Float)) {
        if (std::isnan(value.asDouble())) return otherwise;
        const std::optional<Value> whole = integerOfDouble(value.asDouble(), origin);
        return whole ? Result<Value>(*whole) : impossible("a number that is too large");
    }
    if (!value.is(Kind::String)) return otherwise;
    LOADER_CHECK(runtime.meter.step(value.bytes().size() * 4));
    std::int64_t base = 10;
    if (const Value* const wanted = arguments.get(1, "base")) {
        LOADER_TRY(base, integerOf("a base", *wanted));
    }
    if (base != 0 && (base < 2 || base > 36)) return otherwise;
    std::optional<std::string> plain = plainNumber(value.bytes());
    if (!plain) return otherwise;
    const bool negative = plain->front() == '-';
    if (negative) plain->erase(0, 1);
    const char mark =
        plain->size() > 2 && plain->front() == '0' ? static_cast<char>((*plain)[1] | 0x20) : '\0';
    const std::int64_t marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0 && (base == marked || base == 0)) {
        plain->erase(0, 2);
        base = marked;
    }
    std::uint64_t number = 0;
    const char* const end = plain->data() + plain->size();
    const auto parsed = std::from_chars(plain->data(), end, number, base == 0 ? 10 : static_cast<int>(base));
    const bool whole = parsed.ptr == end && !plain->empty();
    if (whole &&
        (parsed.ec == std::errc::result_out_of_range || number > static_cast<std::uint64_t>(INT64_MAX))) {
        return impossible("a number that is too large");
    }
    if (whole && parsed.ec == std::errc{}) {
        return Value::integer(
            negative ? -static_cast<std::int64_t>(number) : static_cast<std::int64_t>(number), origin);
    }
    const std::optional<double> floating = parseFloat(value.bytes());
    const std::optional<Value> cut = floating ? integerOfDouble(*floating, origin) : std::nullopt;
    return cut ? *cut : otherwise;
}

Result<Value> floatFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("float", {"default"}));
    const Value* const given = arguments.get(0, "default");
    const Value otherwise = given ? *given : Value::floating(0, true);
    if (value.is(Kind::Undefined)) return undefinedUse(value);
    if (value.isNumber()) return Value::floating(value.asDouble(), value.fromTemplate());
    if (!value.is(Kind::String)) return otherwise;
    LOADER_CHECK(runtime.meter.step(value.bytes().size() * 4));
    const std::optional<double> number = parseFloat(value.bytes());
    return number ? Value::floating(*number, value.fromTemplate()) : otherwise;
}

Result<Value> absFilter(Runtime&, const Value& value, const Arguments&) {
    if (!value.isNumber()) return wrongType("there is no size of", value);
    if (value.is(Kind::Float)) return Value::floating(std::abs(value.asDouble()), value.fromTemplate());
    return value.asInt() < 0 ? negate(value)
                             : Result<Value>(Value::integer(value.asInt(), value.fromTemplate()));
}

/// Rounds half to even on the exact value, as Python does.
double roundDecimal(double value, int digits) {
    if (!std::isfinite(value) || digits > 320) return value;
    if (digits < 0) {
        const double unit = std::pow(10.0, -digits);
        return std::isfinite(unit) ? std::nearbyint(value / unit) * unit : 0.0;
    }
    std::array<char, 1024> buffer{};
    const auto end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, digits);
    double result = value;
    if (end.ec == std::errc{}) std::from_chars(buffer.data(), end.ptr, result);
    return result;
}

Result<Value> roundFilter(Runtime&, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("round", {"precision", "method"}));
    if (!value.isNumber()) return wrongType("there is no rounding of", value);
    std::int64_t precision = 0;
    if (const Value* const given = arguments.get(0, "precision")) {
        LOADER_TRY(precision, integerOf("a precision", *given));
    }
    precision = std::min<std::int64_t>(std::max<std::int64_t>(precision, -400), 400);
    const Value* const given = arguments.get(1, "method");
    const std::string method = given && given->is(Kind::String) ? given->bytes() : "common";
    const bool origin = value.fromTemplate();
    if (method == "common") {
        if (value.isIntegral() && precision >= 0) return Value::integer(value.asInt(), origin);
        const double rounded = roundDecimal(value.asDouble(), static_cast<int>(precision));
        if (!value.isIntegral()) return Value::floating(rounded, origin);
        const std::optional<Value> whole = integerOfDouble(rounded, origin);
        return whole ? Result<Value>(*whole) : impossible("a number that is too large");
    }
    if (method != "ceil" && method != "floor")
        return impossible("the method of round is common, ceil or floor");
    const double unit = std::pow(10.0, static_cast<double>(precision));
    const double scaled = value.asDouble() * unit;
    return Value::floating((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit, origin);
}

Result<Value> defaultFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("default", {"default_value", "boolean"}));
    const bool replace =
        value.is(Kind::Undefined) || (flagOf(arguments, 1, "boolean", false) && !isTrue(value));
    if (!replace) return value;
    const Value* const given = arguments.get(0, "default_value");
    return given ? Result<Value>(*given) : runtime.makeText("", true);
}

/// The indent of json.dumps: a number of blanks, or a text.
Status readIndent(Runtime& runtime, const Value& value, JsonStyle& style) {
    if (value.is(Kind::None)) return {};
    style.itemSeparator.assign(1, ',');  // a literal trips a false warning of one compiler
    if (value.is(Kind::String)) {
        style.indent = value.bytes();
        return {};
    }
    LOADER_TRY(const std::int64_t width, integerOf("an indent", value));
    if (width > static_cast<std::int64_t>(runtime.heap.limit())) return runtime.heap.full();
    const auto blanks = static_cast<std::size_t>(std::max<std::int64_t>(width, 0));
    LOADER_CHECK(runtime.heap.expect(blanks));
    LOADER_CHECK(runtime.meter.step(blanks));
    style.indent = std::string(blanks, ' ');
    return {};
}

Result<Value> toJsonFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}));
    JsonStyle style;
    style.asciiOnly = flagOf(arguments, 0, "ensure_ascii", false);
    style.sortKeys = flagOf(arguments, 3, "sort_keys", false);
    if (const Value* const indent = arguments.get(1, "indent"))
        LOADER_CHECK(readIndent(runtime, *indent, style));
    const Value* const separators = arguments.get(2, "separators");
    if (separators && !separators->is(Kind::None)) {
        if (!separators->isArray() || separators->as<ListObject>().items.size() != 2) {
            return impossible("the separators of tojson are two texts");
        }
        const Values& pair = separators->as<ListObject>().items;
        if (!pair[0].is(Kind::String) || !pair[1].is(Kind::String)) {
            return impossible("the separators of tojson are two texts");
        }
        style.itemSeparator = pair[0].bytes();
        style.keySeparator = pair[1].bytes();
    }
    return jsonOf(runtime, value, style);
}

Result<Value> attrFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    LOADER_CHECK(arguments.expect("attr", {"name"}));
    const Value* const name = arguments.get(0, "name");
    if (!name || !name->is(Kind::String)) return impossible("attr without a name");
    // Keys are no attributes here.
    if (value.is(Kind::Dict))
        return runtime.makeUndefined("'dict object' has no attribute '" + name->bytes() + "'");
    return attributeOf(runtime, value, *name);
}

constexpr FilterRow kFilters[] = {
    {"abs", absFilter},     {"attr", attrFilter}, {"d", defaultFilter},   {"default", defaultFilter},
    {"float", floatFilter}, {"int", intFilter},   {"round", roundFilter}, {"tojson", toJsonFilter},
};

}  // namespace

FilterFunction findValueFilter(std::string_view name) {
    for (const FilterRow& row : kFilters) {
        if (row.name == name) return row.filter;
    }
    return nullptr;
}

}  // namespace loader::chat
