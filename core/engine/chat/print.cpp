// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/print.h"

#include <array>
#include <charconv>
#include <cmath>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

void appendHex(std::string& out, std::uint32_t value, int digits) {
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
        out += kHex[(value >> shift) & 15];
}

/// Writes a value without looking at origins but for one question: is every part of it the template's?
class Printer {
public:
    Printer(Runtime& runtime, const JsonStyle* style)
        : m_runtime(runtime), m_style(style), m_out(runtime.heap) {}

    Status write(const Value& value, unsigned depth);
    Result<Value> finish() {
        LOADER_CHECK(m_out.status());
        const Text text = m_out.take();
        return m_runtime.makeText(text.bytes(), m_allFromTemplate);
    }

private:
    void put(std::string_view text) { m_out.append(text, false); }
    void newLine(unsigned depth);
    Status writeItems(const Value& value, std::string_view open, std::string_view close, unsigned depth);
    Status writeDict(const Entries& entries, unsigned depth);
    Status writeKey(const Value& key, unsigned depth);
    Status writeOther(const Value& value, unsigned depth);
    void writeRepr(std::string_view text);
    void writeJsonText(std::string_view text);
    Result<Entries> sorted(const Entries& entries);
    std::string jsonEscape(char32_t c) const;

    Runtime& m_runtime;
    const JsonStyle* m_style;
    TextBuilder m_out;
    bool m_allFromTemplate = true;
};

void Printer::newLine(unsigned depth) {
    put("\n");
    for (unsigned i = 0; i < depth && m_out.status().ok(); ++i)
        put(*m_style->indent);
}

void Printer::writeRepr(std::string_view text) {
    const bool doubled =
        text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
    const char quote = doubled ? '"' : '\'';
    std::string out(1, quote);
    for (std::size_t i = 0; i < text.size();) {
        const utf8::Decoded c = utf8::decode(text.substr(i));
        if (c.codePoint == static_cast<char32_t>(quote) || c.codePoint == '\\') {
            out += '\\';
            out += static_cast<char>(c.codePoint);
        } else if (c.codePoint == '\n' || c.codePoint == '\r' || c.codePoint == '\t') {
            out += c.codePoint == '\n' ? "\\n" : c.codePoint == '\r' ? "\\r" : "\\t";
        } else if (isPrintable(c.codePoint)) {
            out += text.substr(i, c.length);
        } else {
            const int digits = c.codePoint < 0x100 ? 2 : c.codePoint < 0x10000 ? 4 : 8;
            out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
            appendHex(out, c.codePoint, digits);
        }
        i += c.length;
        if (out.size() > 4096) {
            put(out);
            out.clear();
        }
    }
    out += quote;
    put(out);
}

/// The escape of a character in JSON; empty where it stands for itself.
std::string Printer::jsonEscape(char32_t c) const {
    switch (c) {
        case '"': return "\\\"";
        case '\\': return "\\\\";
        case '\n': return "\\n";
        case '\r': return "\\r";
        case '\t': return "\\t";
        case '\b': return "\\b";
        case '\f': return "\\f";
        default: break;
    }
    if (c >= 0x20 && (c < 0x7F || !m_style->asciiOnly)) return {};
    std::string out = "\\u";
    if (c < 0x10000) {
        appendHex(out, c, 4);
    } else {
        appendHex(out, 0xD800 + ((c - 0x10000) >> 10), 4);
        out += "\\u";
        appendHex(out, 0xDC00 + ((c - 0x10000) & 0x3FF), 4);
    }
    return out;
}

void Printer::writeJsonText(std::string_view text) {
    put("\"");
    std::size_t done = 0;
    for (std::size_t i = 0; i < text.size();) {
        const utf8::Decoded c = utf8::decode(text.substr(i));
        const std::string escape = jsonEscape(c.codePoint);
        if (!escape.empty()) {
            put(text.substr(done, i - done));
            put(escape);
            done = i + c.length;
        }
        i += c.length;
    }
    put(text.substr(done));
    put("\"");
}

Status Printer::writeItems(const Value& value, std::string_view open, std::string_view close,
                           unsigned depth) {
    const Values& items = value.as<ListObject>().items;
    put(open);
    const bool lines = m_style && m_style->indent && !items.empty();
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i != 0) put(m_style ? m_style->itemSeparator : ", ");
        if (lines) newLine(depth + 1);
        LOADER_CHECK(write(items[i], depth + 1));
    }
    if (lines) newLine(depth);
    if (!m_style && value.is(Kind::Tuple) && items.size() == 1) put(",");
    put(close);
    return {};
}

Status Printer::writeKey(const Value& key, unsigned depth) {
    if (!m_style || key.is(Kind::String)) return write(key, depth);
    if (!key.isNumber() && !key.is(Kind::None)) return wrongType("no JSON key can be", key);
    put("\"");
    LOADER_CHECK(write(key, depth));
    put("\"");
    return {};
}

Result<Entries> Printer::sorted(const Entries& entries) {
    LOADER_CHECK(m_runtime.heap.expect(entries.size() * sizeof(Value) * 6));
    Values keys, positions;
    for (const auto& entry : entries) {
        positions.push_back(Value::integer(static_cast<std::int64_t>(keys.size()), false));
        keys.push_back(entry.first);
    }
    LOADER_CHECK(sortValues(m_runtime, positions, keys, false));
    Entries out;
    for (const Value& position : positions)
        out.push_back(entries[static_cast<std::size_t>(position.asInt())]);
    return out;
}

Status Printer::writeDict(const Entries& entries, unsigned depth) {
    put("{");
    const bool lines = m_style && m_style->indent && !entries.empty();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (i != 0) put(m_style ? m_style->itemSeparator : ", ");
        if (lines) newLine(depth + 1);
        LOADER_CHECK(writeKey(entries[i].first, depth + 1));
        put(m_style ? m_style->keySeparator : ": ");
        LOADER_CHECK(write(entries[i].second, depth + 1));
    }
    if (lines) newLine(depth);
    put("}");
    return {};
}

Status Printer::writeOther(const Value& value, unsigned depth) {
    switch (value.kind()) {
        case Kind::Undefined: put(depth == 0 ? "" : "Undefined"); return {};
        case Kind::View: put(value.as<ListObject>().label); return writeItems(value, "([", "])", depth);
        case Kind::Range: {
            const auto& range = value.as<RangeObject>();
            put("range(" + std::to_string(range.start) + ", " + std::to_string(range.stop));
            if (range.step != 1) put(", " + std::to_string(range.step));
            put(")");
            return {};
        }
        case Kind::Namespace:
            put("<Namespace ");
            LOADER_CHECK(writeDict(value.as<NamespaceObject>().entries, depth));
            put(">");
            return {};
        default:
            // Python would print an address here, which no template can mean.
            put("<" + std::string(typeName(value)) + ">");
            return {};
    }
}

Status Printer::write(const Value& value, unsigned depth) {
    if (depth > kValueDepthLimit) return Error(Errc::J402, {"values within values"});
    LOADER_CHECK(m_out.status());
    LOADER_CHECK(m_runtime.meter.step(value.is(Kind::String) ? value.bytes().size() : 0));
    const bool container = value.isArray() || value.is(Kind::Dict);
    m_allFromTemplate = m_allFromTemplate && (container || value.fromTemplate());
    switch (value.kind()) {
        case Kind::None: put(m_style ? "null" : "None"); return {};
        case Kind::Bool:
            put(m_style ? (value.truth() ? "true" : "false") : (value.truth() ? "True" : "False"));
            return {};
        case Kind::Int: put(std::to_string(value.asInt())); return {};
        case Kind::Float: {
            const double number = value.asDouble();
            if (m_style && !std::isfinite(number)) {
                put(std::isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity");
            } else {
                put(floatText(number));
            }
            return {};
        }
        case Kind::String:
            if (m_style) {
                writeJsonText(value.bytes());
            } else {
                writeRepr(value.bytes());
            }
            return {};
        case Kind::List: return writeItems(value, "[", "]", depth);
        case Kind::Tuple:
            return m_style ? writeItems(value, "[", "]", depth) : writeItems(value, "(", ")", depth);
        case Kind::Dict: {
            // An empty literal says nothing about where it came from.
            const Entries& entries = value.as<DictObject>().entries;
            if (!m_style || !m_style->sortKeys) return writeDict(entries, depth);
            LOADER_TRY(const Entries ordered, sorted(entries));
            return writeDict(ordered, depth);
        }
        default: break;
    }
    if (m_style) {
        if (value.is(Kind::Undefined) && value.as<UndefinedObject>().forbidden) return undefinedUse(value);
        return impossible("an object of type " + std::string(typeName(value)) + " cannot be written as JSON");
    }
    return writeOther(value, depth);
}

Result<Value> print(Runtime& runtime, const Value& value, const JsonStyle* style) {
    Printer printer(runtime, style);
    LOADER_CHECK(printer.write(value, 0));
    return printer.finish();
}

}  // namespace

std::string floatText(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    std::array<char, 64> buffer{};
    const auto end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
    std::string_view text(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
    std::string out;
    if (text.front() == '-') {
        out = "-";
        text.remove_prefix(1);
    }
    const std::size_t mark = text.find('e');
    int exponent = 0;
    const std::size_t digitsAt = mark + (text[mark + 1] == '+' ? 2 : 1);
    std::from_chars(text.data() + digitsAt, text.data() + text.size(), exponent);
    std::string digits(1, text[0]);
    if (mark > 2) digits += text.substr(2, mark - 2);
    if (exponent < -4 || exponent >= 16) {
        out += digits[0];
        if (digits.size() > 1) out += '.' + digits.substr(1);
        const std::string size = std::to_string(std::abs(exponent));
        return out + (exponent < 0 ? "e-" : "e+") + (size.size() < 2 ? "0" : "") + size;
    }
    if (exponent < 0) return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    const std::size_t point = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() <= point) return out + digits + std::string(point - digits.size(), '0') + ".0";
    return out + digits.substr(0, point) + '.' + digits.substr(point);
}

Result<Value> textOf(Runtime& runtime, const Value& value) {
    return value.is(Kind::String) ? Result<Value>(value) : print(runtime, value, nullptr);
}

Result<Value> reprOf(Runtime& runtime, const Value& value) {
    return print(runtime, value, nullptr);
}

Status appendText(Runtime& runtime, TextBuilder& builder, const Value& value) {
    if (value.is(Kind::Undefined)) return {};
    LOADER_TRY(const Value text, textOf(runtime, value));
    LOADER_CHECK(runtime.meter.step(text.bytes().size()));
    builder.append(text.text());
    return builder.status();
}

Result<Value> jsonOf(Runtime& runtime, const Value& value, const JsonStyle& style) {
    return print(runtime, value, &style);
}

}  // namespace loader::chat
