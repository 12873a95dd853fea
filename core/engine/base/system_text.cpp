// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/system_text.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

namespace loader {
namespace {

constexpr std::size_t kMostNames = 4096;
constexpr unsigned kMostNumbers = 4096;

/// Takes a number from the front of the text.
std::optional<unsigned> takeNumber(std::string_view& text) {
    unsigned value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (fault != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

}  // namespace

SystemText::SystemText(std::string root) : m_root(std::move(root)) {
    while (!m_root.empty() && m_root.back() == '/')
        m_root.pop_back();
}

std::optional<std::string> SystemText::text(const std::string& path, std::size_t most) const {
    std::ifstream file(m_root + path, std::ios::binary);
    if (!file) return std::nullopt;
    // Files of /proc and /sys have no size that could be asked for.
    std::string text;
    char part[4096];
    while (text.size() < most) {
        file.read(part, static_cast<std::streamsize>(std::min(sizeof part, most - text.size())));
        if (file.gcount() <= 0) break;
        text.append(part, static_cast<std::size_t>(file.gcount()));
    }
    // A folder opens on some systems, and then cannot be read.
    if (file.bad()) return std::nullopt;
    return text;
}

std::optional<std::string> SystemText::line(const std::string& path) const {
    const auto whole = text(path);
    if (!whole) return std::nullopt;
    return std::string(trimmed(std::string_view(*whole).substr(0, whole->find('\n'))));
}

std::optional<std::uint64_t> SystemText::number(const std::string& path) const {
    const auto first = line(path);
    return first ? firstNumber(*first) : std::nullopt;
}

std::optional<std::uint64_t> SystemText::field(const std::string& path, std::string_view key) const {
    const auto whole = text(path);
    if (!whole) return std::nullopt;
    std::string_view rest = *whole;
    while (!rest.empty()) {
        const std::string_view entry = rest.substr(0, rest.find('\n'));
        if (entry.starts_with(key)) return firstNumber(entry.substr(key.size()));
        rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    }
    return std::nullopt;
}

std::vector<std::string> SystemText::names(const std::string& folder) const {
    std::vector<std::string> names;
    std::error_code fault;
    std::filesystem::directory_iterator entry(m_root + folder, fault);
    while (!fault && entry != std::filesystem::directory_iterator() && names.size() < kMostNames) {
        names.push_back(entry->path().filename().string());
        entry.increment(fault);
    }
    std::sort(names.begin(), names.end());
    return names;
}

bool SystemText::exists(const std::string& path) const {
    std::error_code fault;
    return std::filesystem::exists(m_root + path, fault);
}

std::optional<std::string> SystemText::resolved(const std::string& path) const {
    std::error_code fault;
    const std::string whole = std::filesystem::canonical(m_root + path, fault).string();
    if (fault) return std::nullopt;
    if (m_root.empty()) return whole;
    const std::string root = std::filesystem::canonical(m_root, fault).string();
    if (fault || !whole.starts_with(root + "/")) return std::nullopt;
    return whole.substr(root.size());
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace(" \t\r\n\0", 5);
    const std::size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::optional<std::uint64_t> firstNumber(std::string_view text) {
    const std::size_t start = text.find_first_of("0123456789");
    if (start == std::string_view::npos) return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data() + start, text.data() + text.size(), value);
    static_cast<void>(end);
    return fault == std::errc() ? std::optional(value) : std::nullopt;
}

std::vector<unsigned> numberList(std::string_view text) {
    text = trimmed(text);
    std::set<unsigned> numbers;
    while (!text.empty()) {
        const auto first = takeNumber(text);
        if (!first) return {};
        unsigned last = *first;
        if (text.starts_with('-')) {
            text.remove_prefix(1);
            const auto end = takeNumber(text);
            if (!end) return {};
            last = *end;
        }
        for (unsigned number = *first; number <= last && number < kMostNumbers; ++number)
            numbers.insert(number);
        if (!text.empty() && !text.starts_with(',')) return {};
        text.remove_prefix(std::min<std::size_t>(1, text.size()));
    }
    return {numbers.begin(), numbers.end()};
}

std::optional<std::string_view> valueOf(std::string_view text, std::string_view key, char separator) {
    while (!text.empty()) {
        const std::string_view entry = text.substr(0, text.find('\n'));
        const std::size_t at = entry.find(separator);
        if (at != std::string_view::npos && trimmed(entry.substr(0, at)) == key)
            return trimmed(entry.substr(at + 1));
        text.remove_prefix(std::min(entry.size() + 1, text.size()));
    }
    return std::nullopt;
}

}  // namespace loader
