// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/choice.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "core/app/library/file_names.h"

namespace loader::app {
namespace {

constexpr std::string_view kAuto = "auto";

bool beginsWith(std::string_view text, std::string_view begin) {
    return text.size() >= begin.size() && equalWithoutCase(text.substr(0, begin.size()), begin);
}

/// The best of the entries that pass.
std::optional<std::size_t> best(const LibrarySnapshot& snapshot, const ChoiceRules& rules,
                                const std::function<bool(const LibraryEntry&)>& passes) {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < snapshot.entries.size(); ++i) {
        const LibraryEntry& entry = snapshot.entries[i];
        if (!passes(entry)) continue;
        if (!found || isPreferred(entry, snapshot.entries[*found], rules)) found = i;
    }
    return found;
}

/// The name of the file that a user would type: with or without its ending, of a set without its numbers.
bool isCalled(const LibraryEntry& entry, std::string_view name) {
    return entry.name == name || fileNameOf(entry.path) == name || stemOf(entry.path) == name;
}

std::optional<std::size_t> byName(const LibrarySnapshot& snapshot, const std::string& name,
                                  const ChoiceRules& rules) {
    const auto& entries = snapshot.entries;
    // Of files that are called the same, the first place wins; one that can be loaded, before one that
    // cannot.
    for (const bool usable : {true, false}) {
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (isCalled(entries[i], name) && (!usable || isUsable(entries[i]))) return i;
        }
    }
    const std::string wanted = comparable(name);
    if (wanted.empty() || name.find(':') != std::string::npos) return std::nullopt;
    const auto ofGroup = [&](const LibraryEntry& entry) {
        return entry.kind == LibraryKind::Model && (comparable(snapshot.groups[entry.group].name) == wanted ||
                                                    comparable(entry.repository) == wanted);
    };
    return best(snapshot, rules, ofGroup);
}

std::optional<std::size_t> byNameAndType(const LibrarySnapshot& snapshot, const std::string& model,
                                         const ChoiceRules& rules) {
    const std::size_t colon = model.rfind(':');
    if (colon == std::string::npos || colon + 1 == model.size()) return std::nullopt;
    const std::string type = model.substr(colon + 1);
    const std::string wanted = comparable(model.substr(0, colon));
    if (wanted.empty()) return std::nullopt;
    const auto fits = [&](const LibraryEntry& entry) {
        const bool named =
            comparable(snapshot.groups[entry.group].name) == wanted || comparable(entry.repository) == wanted;
        const std::string label = quantLabelOf(stemOf(entry.path));
        return entry.kind == LibraryKind::Model && named &&
               (equalWithoutCase(label, type) || equalWithoutCase(entry.type, type));
    };
    return best(snapshot, rules, fits);
}

}  // namespace

std::size_t quantRank(const std::string& type, std::span<const std::string> order) {
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        const std::string_view group = order[rank];
        for (std::size_t begin = 0; begin < group.size();) {
            const std::size_t end = std::min(group.find(' ', begin), group.size());
            if (end > begin && beginsWith(type, group.substr(begin, end - begin))) return rank;
            begin = end + 1;
        }
    }
    return order.size();
}

bool isUsable(const LibraryEntry& entry) {
    return entry.kind == LibraryKind::Model && !entry.fault && entry.state == FileState::Present &&
           entry.facts.known && entry.facts.tensors > 0;
}

bool isPreferred(const LibraryEntry& a, const LibraryEntry& b, const ChoiceRules& rules) {
    // What cannot be loaded last; then what does not fit; then by type, place, size of the model, of the
    // file.
    if (isUsable(a) != isUsable(b)) return isUsable(a);
    const bool aFits = rules.mostBytes == 0 || a.bytes <= rules.mostBytes;
    const bool bFits = rules.mostBytes == 0 || b.bytes <= rules.mostBytes;
    if (aFits != bFits) return aFits;
    const std::size_t aRank = quantRank(a.type, rules.quantOrder);
    const std::size_t bRank = quantRank(b.type, rules.quantOrder);
    if (aRank != bRank) return aRank < bRank;
    if (isCache(a.place) != isCache(b.place)) return isCache(b.place);
    if (a.facts.parameters != b.facts.parameters) return a.facts.parameters > b.facts.parameters;
    if (a.bytes != b.bytes) return a.bytes > b.bytes;
    if (a.placeIndex != b.placeIndex) return a.placeIndex < b.placeIndex;
    return a.path < b.path;
}

void sortGroups(LibrarySnapshot& snapshot, const ChoiceRules& rules) {
    for (LibraryGroup& group : snapshot.groups) {
        std::sort(group.entries.begin(), group.entries.end(), [&](std::size_t a, std::size_t b) {
            return isPreferred(snapshot.entries[a], snapshot.entries[b], rules);
        });
    }
}

Result<std::size_t> chooseEntry(const LibrarySnapshot& snapshot, const std::string& model,
                                const ChoiceRules& rules) {
    if (model == kAuto) {
        // The built-in model is asked for by its name.
        const auto found = best(snapshot, rules, [](const LibraryEntry& entry) {
            return isUsable(entry) && entry.place != PlaceKind::BuiltIn;
        });
        if (found) return *found;
        std::string places;
        for (const PlaceState& place : snapshot.places) {
            if (place.place.kind != PlaceKind::BuiltIn)
                places += (places.empty() ? "" : ", ") + place.place.path;
        }
        return Error(Errc::D313, {places});
    }
    auto found = byName(snapshot, model, rules);
    if (!found) found = byNameAndType(snapshot, model, rules);
    if (!found) return Error(Errc::F802, {}, model);
    return *found;
}

}  // namespace loader::app
