// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/file_names.h"

#include <algorithm>

#include "core/engine/gguf/model_file.h"

namespace loader::app {
namespace {

constexpr std::string_view kEnding = ".gguf";
constexpr std::string_view kWholeLabels[] = {"F16",  "F32",   "BF16",  "FP16",
                                             "FP32", "MXFP4", "NVFP4", "MXFP4_MOE"};
constexpr std::string_view kFamilies[] = {"IQ", "TQ", "Q"};
/// Longer ones are no labels of types.
constexpr std::size_t kMostLabel = 16;

char small(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool isDigit(char letter) {
    return letter >= '0' && letter <= '9';
}

bool isLetter(char letter) {
    return small(letter) >= 'a' && small(letter) <= 'z';
}

bool beginsWithoutCase(std::string_view text, std::string_view begin) {
    return text.size() >= begin.size() && equalWithoutCase(text.substr(0, begin.size()), begin);
}

/// Q4_K_M, IQ4_XS, Q8_0: a family, digits, and up to three parts joined by underscores.
bool isQuantLabel(std::string_view text) {
    if (text.empty() || text.size() > kMostLabel) return false;
    for (const std::string_view label : kWholeLabels) {
        if (equalWithoutCase(text, label)) return true;
    }
    for (const std::string_view family : kFamilies) {
        if (!beginsWithoutCase(text, family)) continue;
        std::string_view rest = text.substr(family.size());
        if (rest.empty() || !isDigit(rest.front())) continue;
        return std::all_of(rest.begin(), rest.end(),
                           [](char c) { return isDigit(c) || isLetter(c) || c == '_'; });
    }
    return false;
}

bool isJoint(char letter) {
    return letter == '-' || letter == '.' || letter == '_' || letter == ' ';
}

/// Where the label begins; the whole length where there is none.
std::size_t labelStart(std::string_view stem) {
    std::size_t best = stem.size();
    for (std::size_t at = 1; at < stem.size(); ++at) {
        if (!isJoint(stem[at - 1]) || !isQuantLabel(stem.substr(at))) continue;
        best = at;
        break;
    }
    return best;
}

}  // namespace

std::string_view fileNameOf(std::string_view path) {
    const std::size_t slash = path.find_last_of("/\\");
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view folderOf(std::string_view path) {
    const std::size_t slash = path.find_last_of("/\\");
    return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string stemOf(std::string_view path) {
    const auto shard = gguf::parseShardName(path);
    std::string name(shard ? fileNameOf(shard->prefix) : fileNameOf(path));
    if (!shard && endsWithoutCase(name, kEnding)) name.resize(name.size() - kEnding.size());
    return name;
}

std::string quantLabelOf(std::string_view stem) {
    return std::string(stem.substr(labelStart(stem)));
}

std::string withoutQuantLabel(std::string_view stem) {
    const std::size_t start = labelStart(stem);
    if (start == stem.size()) return std::string(stem);
    std::string_view rest = stem.substr(0, start);
    // Makers' marks between the name and the type: "-i1-", "-UD-".
    for (const std::string_view mark : {"i1", "UD", "imat"}) {
        while (!rest.empty() && isJoint(rest.back()))
            rest.remove_suffix(1);
        const bool marked = rest.size() > mark.size() && endsWithoutCase(rest, mark) &&
                            isJoint(rest[rest.size() - mark.size() - 1]);
        if (marked) rest.remove_suffix(mark.size());
    }
    while (!rest.empty() && isJoint(rest.back()))
        rest.remove_suffix(1);
    return std::string(rest);
}

std::string comparable(std::string_view name) {
    std::string text;
    for (const char letter : name) {
        const bool other = (static_cast<unsigned char>(letter) & 0x80u) != 0;
        if (other || isDigit(letter) || isLetter(letter) || letter == '.') text += small(letter);
    }
    return text;
}

bool equalWithoutCase(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return small(x) == small(y); });
}

bool endsWithoutCase(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && equalWithoutCase(text.substr(text.size() - end.size()), end);
}

std::string sha256In(std::string_view text) {
    std::string digits;
    for (const char letter : text)
        digits += small(letter);
    const auto hexadecimal = [](char c) { return isDigit(c) || (c >= 'a' && c <= 'f'); };
    const bool all = digits.size() == 64 && std::all_of(digits.begin(), digits.end(), hexadecimal);
    return all ? digits : std::string();
}

}  // namespace loader::app
