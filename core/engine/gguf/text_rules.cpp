// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/text_rules.h"

#include <algorithm>

#include "core/engine/base/utf8.h"

namespace loader::gguf {
namespace {

bool isControl(char32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

unsigned char folded(char c) {
    return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/// What one pass over the bytes tells; most texts of a vocabulary need no second one.
struct Glance {
    bool hasZero = false;
    bool isAscii = true;
};

Glance glanceAt(std::string_view text) {
    unsigned char all = 0;
    bool zero = false;
    for (const char c : text) {
        all = static_cast<unsigned char>(all | static_cast<unsigned char>(c));
        zero |= c == '\0';
    }
    return {zero, all < 0x80};
}

bool hasControl(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const utf8::Decoded next = utf8::decode(text.substr(i));
        if (isControl(next.codePoint)) return true;
        i += next.length;
    }
    return false;
}

bool isNameCharacter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == ':';
}

}  // namespace

Status checkText(std::string_view text) {
    const Glance glance = glanceAt(text);
    if (glance.hasZero) return Error(Errc::GG018);
    if (!glance.isAscii && !utf8::isValid(text)) return Error(Errc::GG017);
    return {};
}

Status checkKey(std::string_view key) {
    if (key.empty()) return Error(Errc::GG012);
    LOADER_CHECK(checkText(key));
    if (hasControl(key)) return Error(Errc::GG013, {printable(key)});
    return {};
}

Status checkTensorName(std::string_view name) {
    if (name.empty()) return Error(Errc::GG041);
    LOADER_CHECK(checkText(name));
    if (!std::all_of(name.begin(), name.end(), isNameCharacter)) return Error(Errc::GG043, {printable(name)});
    return {};
}

std::string printable(std::string_view text, std::size_t maxBytes, bool keepLines) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string shown;
    for (std::size_t i = 0; i < text.size();) {
        const utf8::Decoded next = utf8::decode(text.substr(i));
        if (shown.size() + next.length > maxBytes) return shown + "…";
        const bool line = keepLines && (next.codePoint == '\n' || next.codePoint == '\t');
        if (!next.valid) {
            utf8::append(shown, utf8::kReplacement);
        } else if (isControl(next.codePoint) && !line) {
            shown += "\\x";
            shown += kDigits[(next.codePoint >> 4) & 15];
            shown += kDigits[next.codePoint & 15];
        } else {
            shown += text.substr(i, next.length);
        }
        i += next.length;
    }
    return shown;
}

int compareKeys(std::string_view a, std::string_view b) {
    const std::size_t common = std::min(a.size(), b.size());
    for (std::size_t i = 0; i < common; ++i) {
        if (folded(a[i]) != folded(b[i])) return folded(a[i]) < folded(b[i]) ? -1 : 1;
    }
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    return a.compare(b);
}

bool equalIgnoringCase(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return folded(x) == folded(y); });
}

}  // namespace loader::gguf
