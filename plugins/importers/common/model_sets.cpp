// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/common/model_sets.h"

#include <algorithm>
#include <array>
#include <map>

#include "plugins/importers/common/places.h"

namespace loader::importers {
namespace {

constexpr std::size_t kPartDigits = 5;
constexpr std::string_view kEnd = ".gguf";

bool isDigit(char c) {
    return c >= '0' && c <= '9';
}

/// Five digits at the end of text, which are cut off; 0 where there are none.
unsigned takeNumber(std::string_view& text) {
    if (text.size() < kPartDigits) return 0;
    unsigned number = 0;
    for (const char digit : text.substr(text.size() - kPartDigits)) {
        if (!isDigit(digit)) return 0;
        number = number * 10 + static_cast<unsigned>(digit - '0');
    }
    text.remove_suffix(kPartDigits);
    return number;
}

bool takeEnd(std::string_view& text, std::string_view end) {
    if (!endsWithNoCase(text, end)) return false;
    text.remove_suffix(end.size());
    return true;
}

std::string uppered(std::string_view text) {
    std::string high(text);
    for (char& c : high)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return high;
}

/// Q4_K_M, IQ3_XXS, TQ1_0, F16, BF16, MXFP4 …: a word of a file's name.
bool isQuantWord(std::string_view word) {
    constexpr std::array<std::string_view, 4> kWhole = {"F16", "BF16", "F32", "FP16"};
    if (std::find(kWhole.begin(), kWhole.end(), word) != kWhole.end()) return true;
    if (word.starts_with("MXFP4")) return true;
    for (const std::string_view head : {"IQ", "TQ", "Q"}) {
        if (word.starts_with(head) && word.size() > head.size() && isDigit(word[head.size()])) return true;
    }
    return false;
}

/// Parts of one set, and what is wrong with them.
ModelSet setOf(const PartName& name, const std::map<unsigned, std::string>& parts) {
    ModelSet set;
    set.parts = name.parts;
    set.file = parts.begin()->second;
    for (unsigned part = 1; part <= name.parts && set.fault.empty(); ++part) {
        if (parts.count(part) != 0) continue;
        set.fault = "Part " + std::to_string(part) + " of " + std::to_string(name.parts) + " is missing";
    }
    return set;
}

/// The best of several: of the same model, f16 is what most programs load.
std::string chosenProjector(const std::vector<std::string>& projectors) {
    const auto named = [](const std::string& file) {
        const std::string quant = quantInName(fileName(file));
        return quant == "F16" || quant == "FP16";
    };
    const auto found = std::find_if(projectors.begin(), projectors.end(), named);
    return found == projectors.end() ? projectors.front() : *found;
}

}  // namespace

PartName partNameOf(std::string_view fileName) {
    std::string_view rest = fileName;
    if (!takeEnd(rest, kEnd)) return {};
    const unsigned parts = takeNumber(rest);
    if (parts == 0 || !takeEnd(rest, "-of-")) return {};
    const unsigned part = takeNumber(rest);
    if (part == 0 || part > parts || !takeEnd(rest, "-")) return {};
    return {std::string(rest), part, parts};
}

bool isProjectorName(std::string_view fileName) {
    return isGgufName(fileName) && uppered(fileName).find("MMPROJ") != std::string::npos;
}

bool isGgufName(std::string_view fileName) {
    return endsWithNoCase(fileName, kEnd);
}

std::string ModelSet::note() const {
    std::string text = parts > 1 ? std::to_string(parts) + " parts" : std::string();
    if (projector.empty()) return text;
    return text + (text.empty() ? "Its" : "; its") + " projector is " + fileName(projector);
}

std::vector<ModelSet> modelSets(const std::vector<std::string>& files) {
    std::map<std::string, std::vector<std::string>> projectors;    // by folder
    std::map<std::string, std::map<unsigned, std::string>> parts;  // by folder, stem and number of parts
    std::map<std::string, PartName> names;
    std::vector<ModelSet> sets;
    for (const std::string& file : files) {
        const std::string name = fileName(file);
        if (!isGgufName(name)) continue;
        const std::string folder = folderOf(file);
        const PartName part = partNameOf(name);
        if (isProjectorName(name)) {
            projectors[folder].push_back(file);
        } else if (part.parts > 1) {
            const std::string key = folder + "/" + part.stem + "/" + std::to_string(part.parts);
            parts[key][part.part] = file;
            names[key] = part;
        } else {
            sets.push_back({file, 1, {}, {}});
        }
    }
    for (const auto& [key, found] : parts)
        sets.push_back(setOf(names[key], found));
    for (ModelSet& set : sets) {
        const auto beside = projectors.find(folderOf(set.file));
        if (beside != projectors.end()) set.projector = chosenProjector(beside->second);
    }
    const auto hasModel = [&sets](const std::string& folder) {
        return std::any_of(sets.begin(), sets.end(),
                           [&folder](const ModelSet& set) { return folderOf(set.file) == folder; });
    };
    std::vector<ModelSet> lonely;
    for (const auto& [folder, found] : projectors) {
        if (hasModel(folder)) continue;
        for (const std::string& file : found)
            lonely.push_back({file, 1, {}, "A projector without its model"});
    }
    sets.insert(sets.end(), lonely.begin(), lonely.end());
    std::sort(sets.begin(), sets.end(), [](const ModelSet& a, const ModelSet& b) { return a.file < b.file; });
    return sets;
}

std::string quantInName(std::string_view fileName) {
    std::string_view rest = fileName;
    takeEnd(rest, kEnd);
    const PartName part = partNameOf(fileName);
    const std::string name = uppered(part.parts != 0 ? std::string_view(part.stem) : rest);
    // The last word counts: "q4-tuned-model-Q8_0".
    std::string found;
    std::size_t at = 0;
    while (at <= name.size()) {
        const std::size_t end = std::min(name.find_first_of("-. ", at), name.size());
        const std::string word = name.substr(at, end - at);
        if (isQuantWord(word)) found = word;
        at = end + 1;
    }
    return found;
}

unsigned quantRank(std::string_view fileName) {
    const std::string quant = quantInName(fileName);
    if (quant.starts_with("Q4") || quant.starts_with("IQ4")) return 0;
    if (quant.starts_with("Q5")) return 1;
    return quant.starts_with("Q8") ? 2 : 3;
}

}  // namespace loader::importers
