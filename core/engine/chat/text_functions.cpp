// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/text_functions.h"

#include <algorithm>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/print.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

void appendUpper(TextBuilder& out, char32_t c, bool origin) {
    std::string_view special;
    const char32_t upper = toUpper(c, special);
    if (special.empty()) {
        out.appendCodePoint(upper, origin);
    } else {
        out.append(special, origin);
    }
}

bool wantsUpper(CaseChange change, char32_t c, bool first, bool afterCased) {
    switch (change) {
        case CaseChange::Upper: return true;
        case CaseChange::Lower: return false;
        case CaseChange::Capitalize: return first;
        case CaseChange::Title: return !afterCased;
        case CaseChange::Swap: return isLower(c);
    }
    return false;
}

bool has(Side side, Side part) {
    return (static_cast<unsigned>(side) & static_cast<unsigned>(part)) != 0;
}

Status requireText(const Value& value) {
    return value.is(Kind::String) ? Status() : Status(wrongType("text is needed instead of", value));
}

/// Bytes of the part of a text that optional start and end arguments name.
Result<Value> windowOf(Runtime& runtime, const Value& text, const Arguments& arguments, std::size_t first) {
    const auto& given = arguments.positional;
    if (given.size() <= first) return text;
    return sliceOf(runtime, text, given[first], given.size() > first + 1 ? given[first + 1] : Value(),
                   Value());
}

}  // namespace

Result<Value> changeCase(Runtime& runtime, const Value& value, CaseChange change) {
    const Text& text = value.text();
    const std::string_view bytes = text.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size() * 4));
    TextBuilder out(runtime.heap);
    bool afterCased = false;
    for (std::size_t i = 0; i < bytes.size();) {
        const utf8::Decoded c = utf8::decode(bytes.substr(i));
        const bool origin = text.originAt(i);
        if (wantsUpper(change, c.codePoint, i == 0, afterCased)) {
            appendUpper(out, c.codePoint, origin);
        } else {
            out.appendCodePoint(toLower(c.codePoint), origin);
            // One character alone has a lower case of two: I with dot.
            if (c.codePoint == 0x130) out.appendCodePoint(0x307, origin);
        }
        afterCased = isUpper(c.codePoint) || isLower(c.codePoint);
        i += c.length;
    }
    return runtime.makeText(out);
}

Result<Value> stripText(Runtime& runtime, const Value& value, const Value* characters, Side side) {
    const std::string_view bytes = value.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    std::size_t begin = 0;
    std::size_t end = bytes.size();
    if (!characters || characters->is(Kind::None)) {
        if (has(side, Side::Left)) begin = leadingSpace(bytes);
        if (has(side, Side::Right)) end -= trailingSpace(bytes.substr(begin));
    } else {
        LOADER_CHECK(requireText(*characters));
        const std::string_view set = characters->bytes();
        const auto inSet = [&](std::size_t at, std::size_t length) {
            return set.find(bytes.substr(at, length)) != std::string_view::npos;
        };
        while (has(side, Side::Left) && begin < end) {
            const std::size_t width = utf8::decode(bytes.substr(begin)).length;
            LOADER_CHECK(runtime.meter.step(set.size()));
            if (!inSet(begin, width)) break;
            begin += width;
        }
        while (has(side, Side::Right) && end > begin) {
            const std::size_t at = lastCharacter(bytes.substr(0, end));
            LOADER_CHECK(runtime.meter.step(set.size()));
            if (!inSet(at, end - at)) break;
            end = at;
        }
    }
    if (begin == 0 && end == bytes.size()) return value;
    LOADER_CHECK(runtime.heap.expect(end - begin));
    return runtime.makeText(value.text().part(begin, end));
}

Result<Value> replaceText(Runtime& runtime, const Value& value, const Value& from, const Value& to,
                          std::int64_t count) {
    LOADER_CHECK(requireText(from));
    LOADER_CHECK(requireText(to));
    const Text& text = value.text();
    const std::string_view bytes = text.bytes();
    const std::string_view wanted = from.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    TextBuilder out(runtime.heap);
    std::size_t done = 0;
    for (std::size_t at = 0; count != 0; --count) {
        at = bytes.find(wanted, at);
        if (at == std::string_view::npos) break;
        LOADER_CHECK(runtime.meter.step(to.bytes().size()));
        out.append(text, done, at);
        out.append(to.text());
        LOADER_CHECK(out.status());
        done = at + wanted.size();
        at = done;
        if (!wanted.empty()) continue;
        if (at >= bytes.size()) break;
        at += utf8::decode(bytes.substr(at)).length;
    }
    out.append(text, done, bytes.size());
    return runtime.makeText(out);
}

Result<Value> joinTexts(Runtime& runtime, const Text& separator, const Values& items) {
    TextBuilder out(runtime.heap);
    for (std::size_t i = 0; i < items.size(); ++i) {
        LOADER_CHECK(runtime.meter.step(separator.size()));
        if (i != 0) out.append(separator);
        LOADER_CHECK(appendText(runtime, out, items[i]));
        LOADER_CHECK(out.status());
    }
    return runtime.makeText(out);
}

Result<Value> padText(Runtime& runtime, const Value& value, std::int64_t width, const Value* fill,
                      Side side) {
    const Text& text = value.text();
    Text blank(" ", text.allFromTemplate());
    if (fill) {
        LOADER_CHECK(requireText(*fill));
        if (countCharacters(fill->bytes()) != 1) return impossible("a fill of more than one character");
        blank = fill->text();
    }
    const auto length = static_cast<std::int64_t>(countCharacters(text.bytes()));
    if (width <= length) return value;
    const auto room = static_cast<std::size_t>(width - length);
    if (room > runtime.heap.limit()) return runtime.heap.full().error();
    LOADER_CHECK(runtime.heap.expect(room * blank.size()));
    LOADER_CHECK(runtime.meter.step(room * blank.size()));
    // Python's centre: the odd blank goes left only where the width is odd as well.
    const std::size_t left = side == Side::Left    ? room
                             : side == Side::Right ? 0
                                                   : room / 2 + (room & static_cast<std::size_t>(width) & 1);
    TextBuilder out(runtime.heap);
    for (std::size_t i = 0; i < left && out.status().ok(); ++i)
        out.append(blank);
    out.append(text);
    for (std::size_t i = left; i < room && out.status().ok(); ++i)
        out.append(blank);
    return runtime.makeText(out);
}

namespace {

/// The pieces of a split as byte ranges.
using Pieces = std::vector<std::pair<std::size_t, std::size_t>>;

void splitAtSpace(std::string_view bytes, std::size_t limit, bool fromRight, Pieces& pieces) {
    std::size_t begin = 0;
    std::size_t end = bytes.size();
    if (!fromRight) {
        while ((begin += leadingSpace(bytes.substr(begin))) < end) {
            std::size_t stop = end;
            if (pieces.size() < limit) {
                stop = begin;
                while (stop < end && leadingSpace(bytes.substr(stop, 4)) == 0)
                    ++stop;
            } else {
                stop = end - trailingSpace(bytes);
                // The rest keeps its trailing space in Python.
                stop = end;
            }
            pieces.emplace_back(begin, stop);
            begin = stop;
        }
        return;
    }
    while ((end -= trailingSpace(bytes.substr(0, end))) > 0) {
        std::size_t start = 0;
        if (pieces.size() < limit) {
            start = end;
            while (start > 0 && trailingSpace(bytes.substr(0, start)) == 0)
                start = lastCharacter(bytes.substr(0, start));
        }
        pieces.emplace_back(start, end);
        end = start;
    }
    std::reverse(pieces.begin(), pieces.end());
}

void splitAtText(std::string_view bytes, std::string_view separator, std::size_t limit, bool fromRight,
                 Pieces& pieces) {
    if (!fromRight) {
        std::size_t begin = 0;
        for (std::size_t at = 0; pieces.size() < limit; begin = at + separator.size()) {
            at = bytes.find(separator, begin);
            if (at == std::string_view::npos) break;
            pieces.emplace_back(begin, at);
        }
        pieces.emplace_back(begin, bytes.size());
        return;
    }
    std::size_t end = bytes.size();
    while (pieces.size() < limit && end >= separator.size()) {
        const std::size_t at = bytes.substr(0, end).rfind(separator);
        if (at == std::string_view::npos) break;
        pieces.emplace_back(at + separator.size(), end);
        end = at;
    }
    pieces.emplace_back(0, end);
    std::reverse(pieces.begin(), pieces.end());
}

Result<Value> listOfPieces(Runtime& runtime, const Text& text, const Pieces& pieces) {
    LOADER_CHECK(runtime.meter.step(pieces.size() * sizeof(Value) * 8));
    LOADER_CHECK(runtime.heap.expect(pieces.size() * (sizeof(Value) + sizeof(TextObject))));
    Values items;
    items.reserve(pieces.size());
    for (const auto& piece : pieces) {
        LOADER_TRY(Value item, runtime.makeText(text.part(piece.first, piece.second)));
        items.push_back(std::move(item));
    }
    return runtime.makeList(std::move(items));
}

}  // namespace

Result<Value> splitText(Runtime& runtime, const Value& value, const Value* separator, std::int64_t limit,
                        bool fromRight) {
    const Text& text = value.text();
    LOADER_CHECK(runtime.meter.step(text.size()));
    LOADER_CHECK(runtime.heap.expect(text.size() * 2));
    const std::size_t most = limit < 0 ? static_cast<std::size_t>(-1) : static_cast<std::size_t>(limit);
    Pieces pieces;
    if (!separator || separator->is(Kind::None)) {
        splitAtSpace(text.bytes(), most, fromRight, pieces);
        return listOfPieces(runtime, text, pieces);
    }
    LOADER_CHECK(requireText(*separator));
    if (separator->bytes().empty()) return impossible("a split at an empty text");
    splitAtText(text.bytes(), separator->bytes(), most, fromRight, pieces);
    return listOfPieces(runtime, text, pieces);
}

Result<Value> splitLines(Runtime& runtime, const Value& value, bool keepEnds) {
    const Text& text = value.text();
    const std::string_view bytes = text.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    Pieces pieces;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < bytes.size();) {
        const utf8::Decoded c = utf8::decode(bytes.substr(i));
        const char32_t p = c.codePoint;
        const bool ends =
            (p >= 0x0A && p <= 0x0D) || (p >= 0x1C && p <= 0x1E) || p == 0x85 || p == 0x2028 || p == 0x2029;
        std::size_t next = i + c.length;
        if (!ends) {
            i = next;
            continue;
        }
        if (p == '\r' && next < bytes.size() && bytes[next] == '\n') ++next;
        pieces.emplace_back(begin, keepEnds ? next : i);
        begin = i = next;
    }
    if (begin < bytes.size()) pieces.emplace_back(begin, bytes.size());
    return listOfPieces(runtime, text, pieces);
}

Result<std::int64_t> findText(Runtime& runtime, const Value& text, const Arguments& arguments, bool last) {
    if (arguments.positional.empty()) return impossible("find without a text to find");
    const Value& wanted = arguments.positional[0];
    LOADER_CHECK(requireText(wanted));
    LOADER_TRY(const Value window, windowOf(runtime, text, arguments, 1));
    LOADER_CHECK(runtime.meter.step(window.bytes().size()));
    const std::size_t at = last ? window.bytes().rfind(wanted.bytes()) : window.bytes().find(wanted.bytes());
    if (at == std::string::npos) return std::int64_t(-1);
    auto position =
        static_cast<std::int64_t>(countCharacters(std::string_view(window.bytes()).substr(0, at)));
    if (arguments.positional.size() > 1 && arguments.positional[1].isIntegral()) {
        const auto length = static_cast<std::int64_t>(countCharacters(text.bytes()));
        const std::int64_t start = arguments.positional[1].asInt();
        position += std::clamp<std::int64_t>(start < 0 ? start + length : start, 0, length);
    }
    return position;
}

Result<std::int64_t> countText(Runtime& runtime, const Value& text, const Arguments& arguments) {
    if (arguments.positional.empty()) return impossible("count without a text to count");
    const Value& wanted = arguments.positional[0];
    LOADER_CHECK(requireText(wanted));
    LOADER_TRY(const Value window, windowOf(runtime, text, arguments, 1));
    const std::string& bytes = window.bytes();
    LOADER_CHECK(runtime.meter.step(bytes.size()));
    if (wanted.bytes().empty()) return static_cast<std::int64_t>(countCharacters(bytes)) + 1;
    std::int64_t count = 0;
    for (std::size_t at = bytes.find(wanted.bytes()); at != std::string::npos;
         at = bytes.find(wanted.bytes(), at + wanted.bytes().size())) {
        ++count;
    }
    return count;
}

Result<bool> matchesEdge(Runtime& runtime, const Value& text, const Arguments& arguments, bool atEnd) {
    if (arguments.positional.empty()) return impossible("startswith or endswith without a text");
    const Value& wanted = arguments.positional[0];
    LOADER_TRY(const Value window, windowOf(runtime, text, arguments, 1));
    const std::string_view bytes = window.bytes();
    const auto matches = [&](std::string_view part) {
        if (part.size() > bytes.size()) return false;
        return (atEnd ? bytes.substr(bytes.size() - part.size()) : bytes.substr(0, part.size())) == part;
    };
    if (!wanted.is(Kind::Tuple)) {
        LOADER_CHECK(requireText(wanted));
        return matches(wanted.bytes());
    }
    for (const Value& item : wanted.as<ListObject>().items) {
        LOADER_CHECK(requireText(item));
        LOADER_CHECK(runtime.meter.step(item.bytes().size()));
        if (matches(item.bytes())) return true;
    }
    return false;
}

}  // namespace loader::chat
