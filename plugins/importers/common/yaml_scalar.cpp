// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What plain words of YAML 1.1 mean. The forms are those of PyYAML's resolver, which nearly every program
// that we read uses: 1e5 is a text there, and 010 is eight.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>

#include "plugins/importers/common/yaml_text.h"

namespace loader::importers {
namespace {

using app::Json;

bool isDigit(char letter) {
    return letter >= '0' && letter <= '9';
}

bool isOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

/// Digits of a base with underscores between them; nothing where there is another character or no digit.
std::optional<std::string> digitsOf(std::string_view text, int base) {
    std::string digits;
    for (const char letter : text) {
        if (letter == '_') continue;
        const char low = letter >= 'A' && letter <= 'F' ? static_cast<char>(letter - 'A' + 'a') : letter;
        const int value = isDigit(low) ? low - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : 99;
        if (value >= base) return std::nullopt;
        digits += low;
    }
    if (digits.empty()) return std::nullopt;
    return digits;
}

/// As JSON has it: signed, unsigned, and beyond that a real number.
Json integerOf(const std::string& digits, int base, bool negative) {
    std::uint64_t value = 0;
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    static_cast<void>(end);
    constexpr std::uint64_t kMostNegative = std::uint64_t{1} << 63;
    if (fault == std::errc() && !negative) return Json(value);
    if (fault == std::errc() && value < kMostNegative) return Json(-static_cast<std::int64_t>(value));
    double real = 0.0;
    for (const char digit : digits)
        real = real * base + (isDigit(digit) ? digit - '0' : digit - 'a' + 10);
    // Adding digit by digit rounds each time where the base is no power of two.
    const Json exact = base == 10 ? Json::parse(digits + ".0", nullptr, false) : Json(real);
    if (exact.is_number_float()) real = exact.get<double>();
    // More digits than any number has: the text can at least be shown.
    if (real > std::numeric_limits<double>::max()) return Json((negative ? "-" : "") + digits);
    return Json(negative ? -real : real);
}

std::optional<Json> integer(std::string_view word) {
    const bool negative = !word.empty() && word.front() == '-';
    if (!word.empty() && (word.front() == '-' || word.front() == '+')) word.remove_prefix(1);
    if (word.empty() || !isDigit(word.front())) return std::nullopt;
    int base = 10;
    if (word.size() > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'b')) {
        base = word[1] == 'x' ? 16 : 2;
        word.remove_prefix(2);
    } else if (word.size() > 1 && word[0] == '0') {
        base = 8;
        word.remove_prefix(1);
    }
    const auto digits = digitsOf(word, base);
    if (!digits) return std::nullopt;
    return integerOf(*digits, base, negative);
}

/// 1.5, .5, 1., 1.5e+3; an exponent needs a point before it and a sign in it.
std::optional<Json> real(std::string_view word) {
    std::size_t at = 0;
    const auto takeDigits = [&] {
        std::string digits;
        for (; at < word.size() && (isDigit(word[at]) || word[at] == '_'); ++at) {
            if (word[at] != '_') digits += word[at];
        }
        return digits;
    };
    const auto takeSign = [&]() -> std::string {
        const bool sign = at < word.size() && (word[at] == '-' || word[at] == '+');
        return sign && word[at++] == '-' ? "-" : "";
    };
    const std::string sign = takeSign();
    if (at < word.size() && word[at] == '_') return std::nullopt;
    const std::string whole = takeDigits();
    if (at >= word.size() || word[at] != '.') return std::nullopt;
    ++at;
    const std::string fraction = takeDigits();
    if (whole.empty() && fraction.empty()) return std::nullopt;
    std::string exponent;
    if (at < word.size() && (word[at] == 'e' || word[at] == 'E')) {
        ++at;
        if (at >= word.size() || (word[at] != '+' && word[at] != '-')) return std::nullopt;
        exponent = "e" + takeSign();
        const std::string digits = takeDigits();
        if (digits.empty()) return std::nullopt;
        exponent += digits;
    }
    if (at != word.size()) return std::nullopt;
    // As JSON, whose reader knows no language with a decimal comma. JSON has no zeros in front.
    const std::size_t first = std::min(whole.find_first_not_of('0'), whole.size());
    const std::string head = first == whole.size() ? "0" : whole.substr(first);
    const Json value =
        Json::parse(sign + head + "." + (fraction.empty() ? "0" : fraction) + exponent, nullptr, false);
    if (!value.is_number_float()) return std::nullopt;
    return value;
}

}  // namespace

app::Json plainScalar(std::string_view word) {
    if (isOneOf(word, {"", "~", "null", "Null", "NULL"})) return nullptr;
    if (isOneOf(word, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
    if (isOneOf(word, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) return false;
    if (const auto number = integer(word)) return *number;
    if (const auto number = real(word)) return *number;
    return std::string(word);
}

}  // namespace loader::importers
