// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/storage/ini_text.h"

#include <charconv>
#include <optional>
#include <unordered_map>
#include <utility>

#include "core/app/storage/small_file.h"
#include "core/engine/base/utf8.h"

namespace loader::app {
namespace {

constexpr std::size_t kMostShown = 60;

bool isBlank(char c) {
    return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && isBlank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && isBlank(text.back()))
        text.remove_suffix(1);
    return text;
}

std::optional<unsigned> hexDigit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10u;
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10u;
    return std::nullopt;
}

/// Puts UTF-16 units, which is what escapes name, together to characters.
class Writer {
public:
    void unit(char32_t value) {
        const bool low = value >= 0xDC00 && value < 0xE000;
        if (m_high != 0 && low) {
            utf8::append(m_text, 0x10000 + ((m_high - 0xD800) << 10) + (value - 0xDC00));
            m_high = 0;
            return;
        }
        flush();
        if (value >= 0xD800 && value < 0xDC00)
            m_high = value;
        else
            utf8::append(m_text, low || value > 0xFFFF ? utf8::kReplacement : value);
    }
    void byte(char value) {
        flush();
        m_text += value;
    }
    std::string take() {
        flush();
        return std::exchange(m_text, {});
    }

private:
    /// Half a character without its other half.
    void flush() {
        if (m_high != 0) utf8::append(m_text, utf8::kReplacement);
        m_high = 0;
    }

    std::string m_text;
    char32_t m_high = 0;
};

/// %20 and %U00e4 in names; \ separates levels. A per cent sign that starts neither stands for itself.
std::string unescapedName(std::string_view name) {
    Writer out;
    for (std::size_t at = 0; at < name.size(); ++at) {
        const char c = name[at];
        if (c != '%') {
            out.byte(c == '\\' ? '/' : c);
            continue;
        }
        const bool wide = at + 1 < name.size() && name[at + 1] == 'U';
        const std::size_t first = at + (wide ? 2 : 1);
        const std::size_t digits = wide ? 4 : 2;
        char32_t value = 0;
        bool good = first + digits <= name.size();
        for (std::size_t i = 0; good && i < digits; ++i) {
            const auto digit = hexDigit(name[first + i]);
            good = digit.has_value();
            value = value * 16 + digit.value_or(0);
        }
        if (!good) {
            out.byte(c);
            continue;
        }
        out.unit(value);
        at = first + digits - 1;
    }
    return out.take();
}

/// One value behind the = of a line.
class ValueReader {
public:
    ValueReader(std::string_view text, IniEntry& out) : m_text(text), m_out(out) {}

    /// @return what is wrong; empty where nothing is
    std::string read() {
        while (m_at < m_text.size() && m_fault.empty()) {
            const char c = m_text[m_at++];
            if (c == '\\')
                escape();
            else if (c == '"')
                quotes();
            else if (c == ';' && !m_quoted)
                break;
            else if (c == ',' && !m_quoted)
                separate();
            else
                plain(c);
        }
        if (m_quoted && m_fault.empty()) m_fault = "a quotation mark is not closed";
        finish();
        return m_fault;
    }

private:
    void quotes() {
        m_quoted = !m_quoted;
        m_blanks.clear();
        m_started = true;
    }
    void separate() {
        finish();
        m_out.isList = true;
    }
    void finish() {
        m_out.values.push_back(m_writer.take());
        m_blanks.clear();
        m_started = false;
    }
    /// Blanks around a text that has no quotation marks do not belong to it.
    void plain(char c) {
        if (!m_quoted && isBlank(c)) {
            if (m_started) m_blanks += c;
            return;
        }
        begin();
        m_writer.byte(c);
    }
    void begin() {
        for (const char blank : m_blanks)
            m_writer.byte(blank);
        m_blanks.clear();
        m_started = true;
    }

    void escape() {
        if (m_at == m_text.size()) {
            m_fault = "a backslash stands at its end";
            return;
        }
        begin();
        const char c = m_text[m_at++];
        static constexpr std::string_view kNames = "abfnrtv\"?'\\";
        static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\"?'\\";
        const std::size_t known = kNames.find(c);
        if (known != std::string_view::npos)
            m_writer.unit(static_cast<unsigned char>(kMeanings[known]));
        else if (c == 'x')
            number(16);
        else if (c >= '0' && c <= '7')
            --m_at, number(8);
        // Any other letter behind a backslash: Qt drops both, and so the value would change in silence.
        else
            m_fault = "it has an escape that does not exist";
    }
    void number(unsigned base) {
        char32_t value = 0;
        std::size_t digits = 0;
        for (; m_at < m_text.size(); ++m_at, ++digits) {
            const auto digit = hexDigit(m_text[m_at]);
            if (!digit || *digit >= base) break;
            value = value > 0xFFFF ? value : value * base + *digit;
        }
        if (digits == 0) m_fault = "it has an escape without a number";
        m_writer.unit(value);
    }

    std::string_view m_text;
    IniEntry& m_out;
    std::size_t m_at = 0;
    bool m_quoted = false;
    bool m_started = false;
    std::string m_blanks;
    Writer m_writer;
    std::string m_fault;
};

bool sameWithoutCase(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const char lower = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
        if (lower != b[i]) return false;
    }
    return true;
}

class Parser {
public:
    explicit Parser(std::size_t most) : m_most(most) {}

    Result<IniText> parse(std::string_view text) {
        std::size_t at = 0;
        while (at < text.size()) {
            const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
            ++m_line;
            line(text.substr(at, end - at));
            if (m_out.entries.size() + m_out.faults.size() > m_most)
                return Error(Errc::C501, {"it has more than " + std::to_string(m_most) + " keys"});
            const bool pair = text.substr(end, 2) == "\r\n";
            at = end + (pair ? 2 : 1);
        }
        return std::move(m_out);
    }

private:
    void fault(std::string_view text, std::string what) {
        const bool whole = text.size() <= kMostShown;
        std::string shown = utf8::sanitized(text.substr(0, kMostShown)) + (whole ? "" : "...");
        m_out.faults.push_back({m_line, std::move(shown), std::move(what)});
    }

    void line(std::string_view whole) {
        const std::string_view text = trimmed(whole);
        if (text.empty() || text.front() == ';' || text.front() == '#') return;
        if (text.front() == '[') return section(text);
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) return fault(text, "there is no = in it");
        IniEntry entry;
        entry.section = m_section;
        entry.key = unescapedName(trimmed(text.substr(0, equals)));
        entry.line = m_line;
        if (entry.key.empty()) return fault(text, "there is no key in front of the =");
        std::string wrong = ValueReader(text.substr(equals + 1), entry).read();
        if (!wrong.empty()) return fault(text, std::move(wrong));
        add(std::move(entry));
    }

    void section(std::string_view text) {
        const std::size_t end = text.find(']');
        const std::string_view name = trimmed(text.substr(1, end == std::string_view::npos ? end : end - 1));
        if (end == std::string_view::npos)
            fault(text, "the section has no ]");
        else if (name.empty())
            fault(text, "the section has no name");
        else if (end + 1 != text.size() && trimmed(text.substr(end + 1)).front() != ';')
            fault(text, "something stands behind the section");
        if (sameWithoutCase(name, "general"))
            m_section.clear();
        else if (sameWithoutCase(name, "%general"))
            m_section = name.substr(1);
        else
            m_section = unescapedName(name);
    }

    void add(IniEntry entry) {
        const auto [known, fresh] = m_last.try_emplace(entry.path(), m_out.entries.size());
        if (!fresh) {
            m_out.entries[known->second].superseded = true;
            known->second = m_out.entries.size();
        }
        m_out.entries.push_back(std::move(entry));
    }

    std::size_t m_most;
    std::size_t m_line = 0;
    std::string m_section;
    IniText m_out;
    std::unordered_map<std::string, std::size_t> m_last;
};

/// "10 20" of @Point(10 20); nothing where it is anything but whole numbers.
std::optional<Json> wholeNumbers(std::string_view text, std::size_t count) {
    Json list = Json::array();
    while (!text.empty()) {
        const std::size_t blank = std::min(text.find(' '), text.size());
        std::int64_t number = 0;
        const char* end = text.data() + blank;
        const auto read = std::from_chars(text.data(), end, number);
        if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
        list.push_back(number);
        text.remove_prefix(std::min(blank + 1, text.size()));
    }
    return list.size() == count ? std::optional(list) : std::nullopt;
}

/// @ByteArray holds bytes as the characters of the same numbers.
IniValue bytesValue(std::string_view text) {
    std::string bytes;
    while (!text.empty()) {
        const utf8::Decoded character = utf8::decode(text);
        if (!character.valid || character.codePoint > 0xFF) return {IniValue::Kind::Opaque, {}, "ByteArray"};
        bytes += static_cast<char>(character.codePoint);
        text.remove_prefix(character.length);
    }
    if (!utf8::isValid(bytes) || bytes.find('\0') != std::string::npos)
        return {IniValue::Kind::Opaque, {}, "ByteArray"};
    return {IniValue::Kind::Text, std::move(bytes), "ByteArray"};
}

struct NumberForm {
    std::string_view name;
    std::size_t count;
};
constexpr NumberForm kNumberForms[] = {{"Point", 2}, {"Size", 2}, {"Rect", 4}};

}  // namespace

std::string IniEntry::path() const {
    return section.empty() ? key : section + "/" + key;
}

Result<IniText> parseIni(std::string_view text, std::size_t most) {
    return Parser(most).parse(text);
}

Result<IniText> readIniFile(const std::string& path) {
    LOADER_TRY(std::string bytes, readSmallFile(path));
    auto decoded = decodedText(std::move(bytes));
    if (!decoded) return std::move(decoded).error().within(path);
    auto parsed = parseIni(decoded->text);
    if (!parsed) return std::move(parsed).error().within(path);
    return parsed;
}

IniValue iniValueOf(const std::string& text) {
    if (text.empty() || text.front() != '@') return {IniValue::Kind::Text, text, {}};
    // @@ is how a text that begins with @ is written.
    if (text.size() > 1 && text[1] == '@') return {IniValue::Kind::Text, text.substr(1), {}};
    const std::size_t open = text.find('(');
    if (open == std::string::npos || text.back() != ')') return {IniValue::Kind::Text, text, {}};
    const std::string form = text.substr(1, open - 1);
    const std::string inside = text.substr(open + 1, text.size() - open - 2);
    if (form == "Invalid") return {IniValue::Kind::Nothing, {}, form};
    if (form == "String") return {IniValue::Kind::Text, inside, form};
    if (form == "ByteArray") return bytesValue(inside);
    for (const NumberForm& known : kNumberForms) {
        if (form != known.name) continue;
        const auto numbers = wholeNumbers(inside, known.count);
        return numbers ? IniValue{IniValue::Kind::Numbers, *numbers, form}
                       : IniValue{IniValue::Kind::Opaque, {}, form};
    }
    if (form == "Variant" || form == "DateTime") return {IniValue::Kind::Opaque, {}, form};
    return {IniValue::Kind::Text, text, {}};
}

IniValue valueOf(const IniEntry& entry) {
    if (!entry.isList) return iniValueOf(entry.values.empty() ? std::string() : entry.values.front());
    IniValue list{IniValue::Kind::List, Json::array(), {}};
    for (const std::string& text : entry.values) {
        const IniValue one = iniValueOf(text);
        if (one.kind == IniValue::Kind::Opaque) return {IniValue::Kind::Opaque, {}, one.form};
        list.value.push_back(one.value);
    }
    return list;
}

}  // namespace loader::app
