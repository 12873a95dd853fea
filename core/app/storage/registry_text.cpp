// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/storage/registry_text.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "core/engine/base/utf8.h"

namespace loader::app {
namespace {

constexpr std::string_view kHead = "Windows Registry Editor Version 5.00";
constexpr std::uint32_t kText = 1;
constexpr std::uint32_t kExpandedText = 2;
constexpr std::uint32_t kBytes = 3;
constexpr std::uint32_t kNumber = 4;
constexpr std::uint32_t kTexts = 7;
constexpr std::uint32_t kLargeNumber = 11;

void appendUnit(std::string& bytes, char32_t unit) {
    bytes += static_cast<char>(unit & 0xFF);
    bytes += static_cast<char>((unit >> 8) & 0xFF);
}

std::string utf16(std::string_view text) {
    std::string bytes;
    while (!text.empty()) {
        const utf8::Decoded character = utf8::decode(text);
        const char32_t point = character.codePoint;
        if (point >= 0x10000) {
            appendUnit(bytes, 0xD800 + ((point - 0x10000) >> 10));
            appendUnit(bytes, 0xDC00 + ((point - 0x10000) & 0x3FF));
        } else {
            appendUnit(bytes, point);
        }
        text.remove_prefix(character.length);
    }
    return bytes;
}

std::string utf8Of(std::string_view bytes) {
    std::string text;
    const auto unit = [&bytes](std::size_t at) {
        return static_cast<char32_t>(static_cast<unsigned char>(bytes[at]) |
                                     (static_cast<unsigned char>(bytes[at + 1]) << 8));
    };
    for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
        char32_t point = unit(at);
        const bool high = point >= 0xD800 && point < 0xDC00 && at + 3 < bytes.size();
        const char32_t low = high ? unit(at + 2) : 0;
        if (low >= 0xDC00 && low < 0xE000) {
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
            at += 2;
        }
        const bool half = point >= 0xD800 && point < 0xE000;
        utf8::append(text, half ? utf8::kReplacement : point);
    }
    return text;
}

/// What stands between quotation marks, and where it ends; nothing where it does not end.
std::optional<std::string> quoted(std::string_view& rest) {
    if (rest.empty() || rest.front() != '"') return std::nullopt;
    std::string text;
    for (std::size_t at = 1; at < rest.size(); ++at) {
        if (rest[at] == '"') {
            rest.remove_prefix(at + 1);
            return text;
        }
        if (rest[at] == '\\' && ++at == rest.size()) return std::nullopt;
        text += rest[at];
    }
    return std::nullopt;
}

std::optional<std::uint32_t> hexNumber(std::string_view digits) {
    std::uint32_t number = 0;
    const char* end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, number, 16);
    if (digits.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
    return number;
}

std::optional<std::string> hexBytes(std::string_view list) {
    std::string bytes;
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        const auto byte = hexNumber(list.substr(0, comma));
        if (!byte || *byte > 0xFF) return std::nullopt;
        bytes += static_cast<char>(*byte);
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return bytes;
}

/// What stands behind "name"=
bool readData(std::string_view text, RegistryValue& out) {
    if (auto plain = quoted(text)) {
        out.type = kText;
        out.data = utf16(*plain) + std::string(2, '\0');
        return text.empty();
    }
    if (text.substr(0, 6) == "dword:") {
        const auto number = hexNumber(text.substr(6));
        if (!number) return false;
        out.type = kNumber;
        for (unsigned shift = 0; shift < 32; shift += 8)
            out.data += static_cast<char>((*number >> shift) & 0xFF);
        return true;
    }
    if (text.substr(0, 3) != "hex") return false;
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view kind = text.substr(3, colon - 3);
    const bool bare = kind.empty();
    const bool typed = kind.size() > 2 && kind.front() == '(' && kind.back() == ')';
    const auto type = typed ? hexNumber(kind.substr(1, kind.size() - 2)) : std::nullopt;
    const auto bytes = hexBytes(text.substr(colon + 1));
    if (!bytes || (!bare && !type)) return false;
    out.type = type.value_or(kBytes);
    out.data = *bytes;
    return true;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool readValue(std::string_view line, RegistryValue& out) {
    if (line.front() == '@') {
        line.remove_prefix(1);
    } else {
        auto name = quoted(line);
        if (!name) return false;
        out.name = std::move(*name);
    }
    line = trimmed(line);
    return !line.empty() && line.front() == '=' && readData(trimmed(line.substr(1)), out);
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

bool isPlainText(const RegistryValue& value) {
    if (value.type != kText || value.data.size() < 2 || value.data.size() % 2 != 0) return false;
    const std::string text = utf8Of(value.data.substr(0, value.data.size() - 2));
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20) return false;
    return utf16(text) + std::string(2, '\0') == value.data;
}

}  // namespace

bool RegistryValue::operator==(const RegistryValue& other) const {
    return key == other.key && name == other.name && type == other.type && data == other.data;
}

Result<RegistryText> parseRegistryText(std::string_view text) {
    if (text.substr(0, kHead.size()) != kHead) return Error(Errc::C501, {"it is no export of the registry"});
    RegistryText parsed;
    std::string key;
    std::string line;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        line += trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        // Long lists of bytes go on in the next line.
        const bool goesOn = !line.empty() && line.back() == '\\' && line.find("=hex") != std::string::npos;
        if (goesOn && !text.empty()) {
            line.pop_back();
            continue;
        }
        const std::string whole = std::exchange(line, {});
        RegistryValue value;
        value.key = key;
        if (number == 1 || whole.empty() || whole.front() == ';') continue;
        if (whole.front() == '[' && whole.back() == ']')
            key = whole.substr(1, whole.size() - 2);
        else if (!key.empty() && readValue(whole, value))
            parsed.values.push_back(std::move(value));
        else
            parsed.faults.push_back(number);
    }
    return parsed;
}

std::string registryText(const std::vector<RegistryValue>& values) {
    static constexpr std::array<char, 17> kDigits = {"0123456789abcdef"};
    std::string text = std::string(kHead) + "\r\n";
    std::string key;
    for (const RegistryValue& value : values) {
        if (value.key != key) text += "\r\n[" + value.key + "]\r\n";
        key = value.key;
        text += value.name.empty() ? "@=" : "\"" + escaped(value.name) + "\"=";
        if (isPlainText(value)) {
            text += "\"" + escaped(utf8Of(value.data.substr(0, value.data.size() - 2))) + "\"\r\n";
            continue;
        }
        text += "hex(";
        char type[16];
        const auto end = std::to_chars(type, type + sizeof type, value.type, 16);
        text.append(type, end.ptr);
        text += "):";
        for (std::size_t i = 0; i < value.data.size(); ++i) {
            const auto byte = static_cast<unsigned char>(value.data[i]);
            if (i > 0) text += ',';
            text += kDigits[byte >> 4];
            text += kDigits[byte & 15u];
        }
        text += "\r\n";
    }
    return text;
}

Json valueOf(const RegistryValue& value) {
    const auto whole = [&value] {
        std::uint64_t number = 0;
        for (std::size_t i = value.data.size(); i-- > 0;)
            number = number << 8 | static_cast<unsigned char>(value.data[i]);
        return number;
    };
    if (value.type == kNumber && value.data.size() == 4) return whole();
    if (value.type == kLargeNumber && value.data.size() == 8) return whole();
    std::string text = utf8Of(value.data);
    if (value.type == kText || value.type == kExpandedText) return text.substr(0, text.find('\0'));
    if (value.type != kTexts) return nullptr;
    Json texts = Json::array();
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t zero = std::min(text.find('\0', at), text.size());
        if (zero > at) texts.push_back(text.substr(at, zero - at));
        at = zero + 1;
    }
    return texts;
}

}  // namespace loader::app
