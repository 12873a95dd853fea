// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/strftime.h"

#include <array>
#include <cstdint>

namespace loader::chat {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};

bool isLeap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int daysInMonth(int year, int month) {
    constexpr std::array<int, 12> kLengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return kLengths[static_cast<std::size_t>(month - 1)] + (month == 2 && isLeap(year) ? 1 : 0);
}

/// Days since 1 January 1970 in the Gregorian calendar; years are 1 to 9999.
std::int64_t daysSinceEpoch(int year, int month, int day) {
    const int before = year - 1;
    std::int64_t days = std::int64_t(before) * 365 + before / 4 - before / 100 + before / 400 - 719162;
    for (int m = 1; m < month; ++m)
        days += daysInMonth(year, m);
    return days + day - 1;
}

struct Calendar {
    int weekday;  // Sunday is 0
    int yearDay;  // from 0
    int isoYear;
    int isoWeek;
};

Calendar calendarOf(const CivilTime& time) {
    const std::int64_t days = daysSinceEpoch(time.year, time.month, time.day);
    Calendar result{};
    result.weekday = static_cast<int>(((days + 4) % 7 + 7) % 7);
    result.yearDay = static_cast<int>(days - daysSinceEpoch(time.year, 1, 1));
    // ISO 8601: the week belongs to the year of its Thursday.
    const int monday = (result.weekday + 6) % 7;
    const int thursday = result.yearDay - monday + 3;
    const int length = isLeap(time.year) ? 366 : 365;
    result.isoYear = time.year + (thursday < 0 ? -1 : thursday >= length ? 1 : 0);
    const int previous = isLeap(time.year - 1) ? 366 : 365;
    const int at = thursday < 0 ? thursday + previous : thursday >= length ? thursday - length : thursday;
    result.isoWeek = at / 7 + 1;
    return result;
}

struct Number {
    std::int64_t value;
    int width;
    char fill;
};

std::string show(const Number& number, char flag) {
    std::string text = std::to_string(number.value);
    const char fill = flag == '0' ? '0' : flag == '_' ? ' ' : number.fill;
    if (flag == '-') return text;
    while (static_cast<int>(text.size()) < number.width)
        text.insert(text.begin(), fill);
    return text;
}

bool numberOf(char directive, const CivilTime& t, const Calendar& c, Number& out) {
    const int hour12 = t.hour % 12 == 0 ? 12 : t.hour % 12;
    switch (directive) {
        case 'C': out = {t.year / 100, 2, '0'}; return true;
        case 'd': out = {t.day, 2, '0'}; return true;
        case 'e': out = {t.day, 2, ' '}; return true;
        case 'G': out = {c.isoYear, 1, '0'}; return true;
        case 'g': out = {c.isoYear % 100, 2, '0'}; return true;
        case 'H': out = {t.hour, 2, '0'}; return true;
        case 'I': out = {hour12, 2, '0'}; return true;
        case 'j': out = {c.yearDay + 1, 3, '0'}; return true;
        case 'k': out = {t.hour, 2, ' '}; return true;
        case 'l': out = {hour12, 2, ' '}; return true;
        case 'M': out = {t.minute, 2, '0'}; return true;
        case 'm': out = {t.month, 2, '0'}; return true;
        case 'S': out = {t.second, 2, '0'}; return true;
        case 's':
            out = {daysSinceEpoch(t.year, t.month, t.day) * 86400 + t.hour * 3600 + t.minute * 60 + t.second,
                   1, '0'};
            return true;
        case 'U': out = {(c.yearDay + 7 - c.weekday) / 7, 2, '0'}; return true;
        case 'u': out = {c.weekday == 0 ? 7 : c.weekday, 1, '0'}; return true;
        case 'V': out = {c.isoWeek, 2, '0'}; return true;
        case 'W': out = {(c.yearDay + 7 - (c.weekday + 6) % 7) / 7, 2, '0'}; return true;
        case 'w': out = {c.weekday, 1, '0'}; return true;
        case 'Y': out = {t.year, 1, '0'}; return true;
        case 'y': out = {t.year % 100, 2, '0'}; return true;
        default: return false;
    }
}

/// Directives that stand for others.
std::string_view compositeOf(char directive) {
    switch (directive) {
        case 'c': return "%a %b %e %H:%M:%S %Y";
        case 'D':
        case 'x': return "%m/%d/%y";
        case 'F': return "%Y-%m-%d";
        case 'R': return "%H:%M";
        case 'r': return "%I:%M:%S %p";
        case 'T':
        case 'X': return "%H:%M:%S";
        default: return {};
    }
}

bool nameOf(char directive, const CivilTime& t, const Calendar& c, std::string& out) {
    const std::string_view day = kDays[static_cast<std::size_t>(c.weekday)];
    const std::string_view month = kMonths[static_cast<std::size_t>(t.month - 1)];
    switch (directive) {
        case 'A': out = day; return true;
        case 'a': out = day.substr(0, 3); return true;
        case 'B': out = month; return true;
        case 'b':
        case 'h': out = month.substr(0, 3); return true;
        case 'p': out = t.hour < 12 ? "AM" : "PM"; return true;
        case 'P': out = t.hour < 12 ? "am" : "pm"; return true;
        case 'f': out = "000000"; return true;
        case 'Z':
        case 'z': out.clear(); return true;
        case 'n': out = "\n"; return true;
        case 't': out = "\t"; return true;
        case '%': out = "%"; return true;
        default: return false;
    }
}

void changeCase(std::string& text, char flag) {
    for (char& c : text) {
        const bool isLower = c >= 'a' && c <= 'z';
        if (flag == '^' && isLower) c = static_cast<char>(c - 32);
    }
}

}  // namespace

Status checkTime(const CivilTime& t) {
    const bool valid = t.year >= 1 && t.year <= 9999 && t.month >= 1 && t.month <= 12 && t.day >= 1 &&
                       t.day <= daysInMonth(t.year, t.month) && t.hour >= 0 && t.hour <= 23 &&
                       t.minute >= 0 && t.minute <= 59 && t.second >= 0 && t.second <= 60;
    return valid ? Status() : Status(Error(Errc::J414, {"the time is not a real one"}));
}

std::string formatTime(std::string_view format, const CivilTime& time) {
    const Calendar calendar = calendarOf(time);
    std::string out;
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%' || i + 1 >= format.size()) {
            out += format[i];
            continue;
        }
        const std::size_t start = i++;
        char flag = 0;
        if (std::string_view("-_0^#").find(format[i]) != std::string_view::npos && i + 1 < format.size()) {
            flag = format[i++];
        }
        // E and O ask for another calendar or other digits, which the C locale does not have.
        if ((format[i] == 'E' || format[i] == 'O') && i + 1 < format.size()) ++i;
        const char directive = format[i];
        Number number{};
        std::string text;
        if (numberOf(directive, time, calendar, number)) {
            text = show(number, flag);
        } else if (const std::string_view composite = compositeOf(directive); !composite.empty()) {
            text = formatTime(composite, time);
        } else if (!nameOf(directive, time, calendar, text)) {
            text = format.substr(start, i - start + 1);
        }
        changeCase(text, flag);
        out += text;
    }
    return out;
}

}  // namespace loader::chat
