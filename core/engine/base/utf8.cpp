// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/utf8.h"

#include <algorithm>

namespace loader::utf8 {
namespace {

/// Length announced by a first byte, or 0 where no character starts with it.
std::size_t announcedLength(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return 2;
    if (first >= 0xE0 && first <= 0xEF) return 3;
    if (first >= 0xF0 && first <= 0xF4) return 4;
    return 0;
}

/// The second byte has a narrower range after some first bytes (overlong forms, surrogates, beyond U+10FFFF).
bool secondByteFits(unsigned char first, unsigned char second) {
    switch (first) {
        case 0xE0: return second >= 0xA0 && second <= 0xBF;
        case 0xED: return second >= 0x80 && second <= 0x9F;
        case 0xF0: return second >= 0x90 && second <= 0xBF;
        case 0xF4: return second >= 0x80 && second <= 0x8F;
        default: return second >= 0x80 && second <= 0xBF;
    }
}

/// How many bytes at the start of text form a legal beginning of one character.
std::size_t legalBytes(std::string_view text, std::size_t announced) {
    const auto byteAt = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::size_t available = std::min(announced, text.size());
    for (std::size_t i = 1; i < available; ++i) {
        const bool fits = i == 1 ? secondByteFits(byteAt(0), byteAt(1)) : (byteAt(i) & 0xC0) == 0x80;
        if (!fits) return i;
    }
    return available;
}

}  // namespace

Decoded decode(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t length = announcedLength(first);
    if (length == 0 || legalBytes(text, length) < length) return {};
    if (length == 1) return {first, 1, true};
    char32_t codePoint = first & (0x7F >> length);
    for (std::size_t i = 1; i < length; ++i) {
        codePoint = (codePoint << 6) | (static_cast<unsigned char>(text[i]) & 0x3F);
    }
    return {codePoint, length, true};
}

void append(std::string& text, char32_t codePoint) {
    const auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (codePoint < 0x80) {
        put(codePoint);
    } else if (codePoint < 0x800) {
        put(0xC0 | (codePoint >> 6));
        put(0x80 | (codePoint & 0x3F));
    } else if (codePoint < 0x10000) {
        put(0xE0 | (codePoint >> 12));
        put(0x80 | ((codePoint >> 6) & 0x3F));
        put(0x80 | (codePoint & 0x3F));
    } else {
        put(0xF0 | (codePoint >> 18));
        put(0x80 | ((codePoint >> 12) & 0x3F));
        put(0x80 | ((codePoint >> 6) & 0x3F));
        put(0x80 | (codePoint & 0x3F));
    }
}

bool isValid(std::string_view text) {
    while (!text.empty()) {
        const Decoded next = decode(text);
        if (!next.valid) return false;
        text.remove_prefix(next.length);
    }
    return true;
}

std::size_t completePrefix(std::string_view text) {
    // Only the last three bytes can belong to an unfinished character.
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
        const std::size_t start = text.size() - back;
        const std::size_t length = announcedLength(static_cast<unsigned char>(text[start]));
        if (length > back && legalBytes(text.substr(start), length) == back) return start;
    }
    return text.size();
}

std::string sanitized(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const Decoded next = decode(text);
        if (next.valid) {
            clean.append(text.substr(0, next.length));
        } else {
            append(clean, kReplacement);
        }
        text.remove_prefix(next.length);
    }
    return clean;
}

}  // namespace loader::utf8
