// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/percent_format.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/print.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

/// More digits than a double can have make no sense and only cost memory.
constexpr std::size_t kPrecisionLimit = 100;

struct Spec {
    std::string fill = " ";
    char align = 0;
    char sign = '-';
    bool alternate = false;
    bool zero = false;
    char grouping = 0;
    std::size_t width = 0;
    std::optional<std::size_t> precision;
    char type = 0;
};

/// Reads a decimal number; too many digits become a size that no budget allows.
std::size_t readSize(std::string_view text, std::size_t& at) {
    std::size_t value = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        if (value < (std::size_t(1) << 50)) value = value * 10 + static_cast<std::size_t>(text[at] - '0');
    }
    return value;
}

/// Fills body up to the width; the sign stays in front of zeros.
Status pad(Runtime& runtime, TextBuilder& out, const Text& body, const Spec& spec, char defaultAlign,
           bool origin) {
    const std::size_t length = countCharacters(body.bytes());
    if (spec.width <= length) {
        out.append(body);
        return out.status();
    }
    const std::size_t room = spec.width - length;
    if (room > runtime.heap.limit()) return runtime.heap.full();
    LOADER_CHECK(runtime.heap.expect(room * spec.fill.size()));
    LOADER_CHECK(runtime.meter.step(room));
    const char align = spec.align ? spec.align : defaultAlign;
    const bool signedBody =
        !body.empty() && (body.bytes()[0] == '-' || body.bytes()[0] == '+' || body.bytes()[0] == ' ');
    const std::size_t head = align == '=' && signedBody ? 1 : 0;
    const std::size_t before = align == '<' ? 0 : align == '^' ? room / 2 : room;
    out.append(body, 0, head);
    for (std::size_t i = 0; i < before && out.status().ok(); ++i)
        out.append(spec.fill, origin);
    out.append(body, head, body.size());
    for (std::size_t i = before; i < room && out.status().ok(); ++i)
        out.append(spec.fill, origin);
    return out.status();
}

std::string group(const std::string& digits, char separator) {
    std::size_t whole = 0;
    while (whole < digits.size() && digits[whole] >= '0' && digits[whole] <= '9')
        ++whole;
    std::string out;
    for (std::size_t i = 0; i < whole; ++i) {
        if (i != 0 && (whole - i) % 3 == 0) out += separator;
        out += digits[i];
    }
    return out + digits.substr(whole);
}

Result<std::string> floatDigits(double value, const Spec& spec) {
    if (!std::isfinite(value)) return std::string(std::isnan(value) ? "nan" : "inf");
    const std::size_t precision = spec.precision.value_or(6);
    if (precision > kPrecisionLimit) return impossible("a precision of more than 100 digits");
    std::array<char, 512> buffer{};
    const char kind = static_cast<char>(spec.type | 0x20);
    if (spec.type == 0 || (kind == 'r')) return floatText(value);
    const auto style = kind == 'e'   ? std::chars_format::scientific
                       : kind == 'g' ? std::chars_format::general
                                     : std::chars_format::fixed;
    const double shown = spec.type == '%' ? value * 100 : value;
    const int digits = static_cast<int>(kind == 'g' && precision == 0 ? 1 : precision);
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), shown, style, digits);
    if (end.ec != std::errc{}) return impossible("a number that is too large to format");
    std::string out(buffer.data(), end.ptr);
    if (spec.type == '%') out += '%';
    return out;
}

Result<std::string> integerDigits(std::int64_t value, const Spec& spec) {
    const auto magnitude =
        value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    const char kind = static_cast<char>(spec.type | 0x20);
    const int base = kind == 'x' ? 16 : spec.type == 'o' ? 8 : spec.type == 'b' ? 2 : 10;
    std::array<char, 80> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude, base);
    std::string out(buffer.data(), end.ptr);
    if (spec.precision) {
        if (*spec.precision > kPrecisionLimit) return impossible("a precision of more than 100 digits");
        if (out.size() < *spec.precision) out.insert(0, *spec.precision - out.size(), '0');
    }
    if (spec.alternate && base != 10) out.insert(0, base == 16 ? "0x" : base == 8 ? "0o" : "0b");
    return out;
}

Status appendNumber(Runtime& runtime, TextBuilder& out, const Value& value, const Spec& spec,
                    bool formatOrigin) {
    const bool asFloat =
        value.is(Kind::Float) || spec.type == '%' ||
        (spec.type != 0 && std::string_view("eEfFgG").find(spec.type) != std::string_view::npos);
    std::string digits;
    if (asFloat) {
        LOADER_TRY(digits, floatDigits(std::abs(value.asDouble()), spec));
    } else {
        LOADER_TRY(digits, integerDigits(value.asInt(), spec));
    }
    if (spec.grouping) digits = group(digits, spec.grouping);
    if (spec.type == 'X' || spec.type == 'E' || spec.type == 'G') {
        for (char& c : digits)
            c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    }
    const bool negative =
        asFloat ? std::signbit(value.asDouble()) && !std::isnan(value.asDouble()) : value.asInt() < 0;
    if (negative) {
        digits.insert(0, "-");
    } else if (spec.sign != '-') {
        digits.insert(0, 1, spec.sign);
    }
    return pad(runtime, out, Text(std::move(digits), value.fromTemplate() && formatOrigin), spec, '>',
               formatOrigin);
}

Status appendTextual(Runtime& runtime, TextBuilder& out, const Value& text, const Spec& spec, char align,
                     bool origin) {
    const Text& body = text.text();
    if (!spec.precision || countCharacters(body.bytes()) <= *spec.precision) {
        return pad(runtime, out, body, spec, align, origin);
    }
    const Value stop = Value::integer(static_cast<std::int64_t>(*spec.precision), true);
    LOADER_TRY(const Value cut, sliceOf(runtime, text, Value(), stop, Value()));
    return pad(runtime, out, cut.text(), spec, align, origin);
}

/// One format after another, taking values in turn.
class PercentFormatter {
public:
    PercentFormatter(Runtime& runtime, const Value& format, const Value& values)
        : m_runtime(runtime), m_text(format.text()), m_values(values), m_out(runtime.heap) {}
    Result<Value> run();

private:
    Result<Value> nextValue();
    Result<std::size_t> starOrSize(bool& negative);
    Status conversion();

    Runtime& m_runtime;
    const Text& m_text;
    const Value& m_values;
    TextBuilder m_out;
    std::size_t m_at = 0;
    std::size_t m_used = 0;
};

Result<Value> PercentFormatter::nextValue() {
    const bool tuple = m_values.is(Kind::Tuple);
    const std::size_t count = tuple ? m_values.as<ListObject>().items.size() : 1;
    if (m_used >= count) return impossible("a format with too few values");
    ++m_used;
    return tuple ? m_values.as<ListObject>().items[m_used - 1] : m_values;
}

Result<std::size_t> PercentFormatter::starOrSize(bool& negative) {
    const std::string_view bytes = m_text.bytes();
    if (m_at >= bytes.size() || bytes[m_at] != '*') return readSize(bytes, m_at);
    ++m_at;
    LOADER_TRY(const Value value, nextValue());
    LOADER_TRY(const std::int64_t size, integerOf("a width", value));
    negative = size < 0;
    return static_cast<std::size_t>(negative ? 0 - static_cast<std::uint64_t>(size)
                                             : static_cast<std::uint64_t>(size));
}

Status PercentFormatter::conversion() {
    const std::string_view bytes = m_text.bytes();
    const bool origin = m_text.originAt(m_at);
    ++m_at;
    Spec spec;
    std::optional<Value> named;
    if (m_at < bytes.size() && bytes[m_at] == '(') {
        const std::size_t end = bytes.find(')', m_at);
        if (end == std::string_view::npos) return impossible("a format with an open bracket");
        if (!m_values.is(Kind::Dict)) return impossible("a format with names needs a mapping");
        const Value* const found = m_values.as<DictObject>().find(bytes.substr(m_at + 1, end - m_at - 1));
        if (!found) return impossible("a format with an unknown name");
        named = *found;
        m_at = end + 1;
    }
    for (; m_at < bytes.size() && std::string_view("-+ #0").find(bytes[m_at]) != std::string_view::npos;
         ++m_at) {
        const char flag = bytes[m_at];
        if (flag == '-') spec.align = '<';
        if (flag == '+' || (flag == ' ' && spec.sign != '+')) spec.sign = flag;
        if (flag == '#') spec.alternate = true;
        if (flag == '0') spec.zero = true;
    }
    bool negative = false;
    LOADER_TRY(spec.width, starOrSize(negative));
    if (negative) spec.align = '<';
    if (m_at < bytes.size() && bytes[m_at] == '.') {
        ++m_at;
        LOADER_TRY(spec.precision, starOrSize(negative));
    }
    while (m_at < bytes.size() && (bytes[m_at] == 'l' || bytes[m_at] == 'h' || bytes[m_at] == 'L'))
        ++m_at;
    if (m_at >= bytes.size()) return impossible("an incomplete format");
    spec.type = bytes[m_at++];
    if (spec.type == '%') {
        m_out.append("%", origin);
        return {};
    }
    Value value;
    if (named) {
        value = *named;
    } else {
        LOADER_TRY(value, nextValue());
    }
    switch (spec.type) {
        case 's':
        case 'r':
        case 'a': {
            if (value.is(Kind::Undefined) && spec.type == 's')
                return pad(m_runtime, m_out, Text(), spec, '>', origin);
            LOADER_TRY(const Value text,
                       spec.type == 's' ? textOf(m_runtime, value) : reprOf(m_runtime, value));
            return appendTextual(m_runtime, m_out, text, spec, '>', origin);
        }
        case 'c':
            if (value.is(Kind::String) && countCharacters(value.bytes()) == 1) {
                return pad(m_runtime, m_out, value.text(), spec, '>', origin);
            }
            return impossible("%c needs one character");
        case 'd':
        case 'i':
        case 'u':
        case 'x':
        case 'X':
        case 'o':
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G': break;
        default: return impossible("an unknown conversion in a format");
    }
    if (!value.isNumber()) return wrongType("a number is needed instead of", value);
    const bool whole = std::string_view("diuxXo").find(spec.type) != std::string_view::npos;
    if (whole && value.is(Kind::Float)) {
        const double number = value.asDouble();
        if (!(std::abs(number) < 9.2e18)) return impossible("a number that is too large");
        if (spec.type == 'x' || spec.type == 'X' || spec.type == 'o')
            return wrongType("an integer is needed instead of", value);
        value = Value::integer(static_cast<std::int64_t>(number), value.fromTemplate());
    }
    if (spec.zero && spec.align == 0) {
        spec.fill = "0";
        spec.align = '=';
    }
    return appendNumber(m_runtime, m_out, value, spec, origin);
}

Result<Value> PercentFormatter::run() {
    const std::string_view bytes = m_text.bytes();
    LOADER_CHECK(m_runtime.meter.step(bytes.size()));
    while (m_at < bytes.size()) {
        LOADER_CHECK(m_runtime.meter.step());
        const std::size_t mark = std::min(bytes.find('%', m_at), bytes.size());
        m_out.append(m_text, m_at, mark);
        m_at = mark;
        if (mark < bytes.size()) LOADER_CHECK(conversion());
        LOADER_CHECK(m_out.status());
    }
    if (m_values.is(Kind::Tuple) && m_used < m_values.as<ListObject>().items.size()) {
        return impossible("a format with too many values");
    }
    if (!m_values.is(Kind::Tuple) && !m_values.is(Kind::Dict) && !m_values.is(Kind::List) && m_used == 0) {
        return impossible("a format with too many values");
    }
    return m_runtime.makeText(m_out);
}

Result<Spec> parseSpec(std::string_view text) {
    Spec spec;
    std::size_t at = 0;
    const auto isAlign = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
    if (!text.empty()) {
        const std::size_t width = utf8::decode(text).length;
        if (width < text.size() && isAlign(text[width])) {
            spec.fill = std::string(text.substr(0, width));
            spec.align = text[width];
            at = width + 1;
        } else if (isAlign(text[0])) {
            spec.align = text[0];
            at = 1;
        }
    }
    const auto next = [&](std::string_view set) {
        const bool found = at < text.size() && set.find(text[at]) != std::string_view::npos;
        return found ? text[at++] : '\0';
    };
    if (const char sign = next("+- ")) spec.sign = sign;
    spec.alternate = next("#") != 0;
    if (next("0") && !spec.align) {
        spec.fill = "0";
        spec.align = '=';
    }
    spec.width = readSize(text, at);
    spec.grouping = next(",_");
    if (next(".")) spec.precision = readSize(text, at);
    spec.type = next("bcdeEfFgGnosxX%");
    if (at != text.size()) return impossible("an unknown format of a value");
    return spec;
}

Status appendBraceField(Runtime& runtime, TextBuilder& out, Value value, char conversion,
                        std::string_view format, bool origin) {
    if (conversion == 'r') {
        LOADER_TRY(value, reprOf(runtime, value));
    } else if (conversion != 0) {
        LOADER_TRY(value, textOf(runtime, value));
    }
    LOADER_TRY(const Spec spec, parseSpec(format));
    const bool numeric = value.isNumber() && !(value.is(Kind::Bool) && format.empty());
    if (numeric && spec.type != 's') return appendNumber(runtime, out, value, spec, origin);
    if (spec.type != 0 && spec.type != 's') return wrongType("a number is needed instead of", value);
    if (value.is(Kind::Undefined)) return pad(runtime, out, Text(), spec, '<', origin);
    LOADER_TRY(const Value text, textOf(runtime, value));
    return appendTextual(runtime, out, text, spec, '<', origin);
}

Result<Value> braceValue(std::string_view name, const Arguments& arguments, std::size_t& next) {
    if (name.find_first_of(".[") != std::string_view::npos) {
        return Error(Errc::J410, {"attributes within str.format"});
    }
    std::size_t index = 0;
    std::size_t at = 0;
    index = name.empty() ? next++ : readSize(name, at);
    if (at == name.size()) {
        if (index >= arguments.positional.size()) return impossible("a format with too few values");
        return arguments.positional[index];
    }
    for (const auto& argument : arguments.named) {
        if (argument.first == name) return argument.second;
    }
    return impossible("a format with an unknown name");
}

}  // namespace

Result<Value> formatPercent(Runtime& runtime, const Value& format, const Value& values) {
    return PercentFormatter(runtime, format, values).run();
}

Result<Value> formatBraces(Runtime& runtime, const Value& format, const Arguments& arguments) {
    const Text& text = format.text();
    const std::string_view bytes = text.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    TextBuilder out(runtime.heap);
    std::size_t next = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        LOADER_CHECK(runtime.meter.step());
        const std::size_t mark = std::min(bytes.find_first_of("{}", at), bytes.size());
        out.append(text, at, mark);
        LOADER_CHECK(out.status());
        if (mark == bytes.size()) break;
        if (mark + 1 < bytes.size() && bytes[mark + 1] == bytes[mark]) {
            out.append(text, mark, mark + 1);
            at = mark + 2;
            continue;
        }
        const std::size_t end = bytes.find('}', mark);
        if (bytes[mark] == '}' || end == std::string_view::npos)
            return impossible("a format with an open brace");
        std::string_view field = bytes.substr(mark + 1, end - mark - 1);
        if (field.find('{') != std::string_view::npos) return impossible("a format within a format");
        std::string_view spec;
        const std::size_t colon = field.find(':');
        if (colon != std::string_view::npos) {
            spec = field.substr(colon + 1);
            field = field.substr(0, colon);
        }
        char conversion = 0;
        if (field.size() >= 2 && field[field.size() - 2] == '!') {
            conversion = field.back();
            field.remove_suffix(2);
        }
        LOADER_TRY(Value value, braceValue(field, arguments, next));
        LOADER_CHECK(appendBraceField(runtime, out, std::move(value), conversion, spec, text.originAt(mark)));
        at = end + 1;
    }
    return runtime.makeText(out);
}

}  // namespace loader::chat
