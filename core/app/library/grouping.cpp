// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/grouping.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/app/library/file_names.h"
#include "core/engine/gguf/model_file.h"

namespace loader::app {
namespace {

/// Shorter names ("hub", ".") say nothing.
constexpr std::size_t kLeastName = 4;

LibraryKind kindOf(const std::string& sideFile) {
    if (sideFile.empty()) return LibraryKind::Model;
    if (sideFile.find("projector") != std::string::npos) return LibraryKind::Projector;
    if (sideFile.find("adapter") != std::string::npos) return LibraryKind::Adapter;
    return LibraryKind::Other;
}

/// The parts of an entry by number, and how many there should be; 0 for a single file.
struct Set {
    std::map<std::uint32_t, const LibraryFile*> parts;
    std::uint32_t count = 0;
    std::string prefix;
};

/// Saturates: the numbers come from files.
void add(std::uint64_t& sum, std::uint64_t more) {
    sum = sum + more < sum ? ~std::uint64_t{0} : sum + more;
}

void addShares(std::vector<protocol::TypeShare>& types, const std::vector<protocol::TypeShare>& more) {
    for (const protocol::TypeShare& share : more) {
        const auto same = std::find_if(types.begin(), types.end(),
                                       [&](const auto& other) { return other.type == share.type; });
        if (same == types.end()) {
            types.push_back(share);
            continue;
        }
        add(same->bytes, share.bytes);
        add(same->values, share.values);
    }
    std::sort(types.begin(), types.end(), [](const auto& a, const auto& b) {
        return a.bytes != b.bytes ? a.bytes > b.bytes : a.type < b.type;
    });
}

std::optional<Error> stateFault(const LibraryFile& file) {
    if (file.state == FileState::Missing) return Error(Errc::D310, {}, file.file.path);
    if (file.state == FileState::Unreachable) return Error(Errc::C518, {"2"}, file.file.path);
    return std::nullopt;
}

/// The first thing that is wrong with a set, in the order of its parts.
std::optional<Error> faultOf(const Set& set) {
    for (std::uint32_t number = 1; number <= std::max(set.count, 1u); ++number) {
        const auto part = set.count == 0 ? set.parts.begin() : set.parts.find(number);
        if (part == set.parts.end()) {
            const gguf::ShardName name{set.prefix, number, set.count};
            return Error(Errc::S301, {std::to_string(number), std::string(fileNameOf(name.path(number)))},
                         set.prefix);
        }
        const LibraryFile& file = *part->second;
        if (auto fault = stateFault(file)) return fault;
        if (!file.file.fault.empty()) return Error(file.file.fault.front()).within(file.file.path);
        // A set with a million parts that are not there must not be gone through.
        if (number > set.parts.rbegin()->first) break;
    }
    return std::nullopt;
}

/// Of a blob without a name of its own, what its header says.
std::string nameOfEntry(const LibraryFile& file) {
    if (!file.file.name.empty()) return file.file.name;
    const std::string stem = stemOf(file.file.path);
    const bool blob = stem.rfind("sha256-", 0) == 0 || !sha256In(stem).empty();
    return blob && !file.file.facts.name.empty() ? file.file.facts.name : stem;
}

LibraryEntry entryOf(const Set& set, std::span<const LibraryPlace> places) {
    const LibraryFile& first = *set.parts.begin()->second;
    LibraryEntry entry;
    entry.name = nameOfEntry(first);
    entry.path = first.file.path;
    entry.placeIndex = first.place;
    entry.place = places[first.place].kind;
    entry.state = first.state;
    entry.repository = first.file.repository;
    entry.fault = faultOf(set);
    entry.kind = kindOf(first.file.facts.sideFile);
    if (set.count == 0) entry.sha256 = first.file.sha256;
    if (!first.projector.empty()) entry.projectors.push_back(first.projector);
    entry.facts = first.file.facts;
    if (set.count > 0) {
        entry.facts.types.clear();
        entry.facts.parameters = entry.facts.headerBytes = 0;
        entry.facts.tensors = 0;
    }
    for (const auto& [number, file] : set.parts) {
        entry.parts.push_back({file->file.path, file->file.identity.bytes, file->state});
        add(entry.bytes, file->file.identity.bytes);
        if (file->state != FileState::Present) entry.state = file->state;
        if (set.count == 0) continue;
        addShares(entry.facts.types, file->file.facts.types);
        add(entry.facts.parameters, file->file.facts.parameters);
        add(entry.facts.headerBytes, file->file.facts.headerBytes);
        entry.facts.tensors += file->file.facts.tensors;
    }
    entry.type = mainTypeOf(entry.facts);
    return entry;
}

/// Projectors go with the models of their folder; where several models lie there, with those of their name.
void attachProjectors(std::vector<LibraryEntry>& entries) {
    std::multimap<std::string, std::size_t, std::less<>> models;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (entries[i].kind == LibraryKind::Model) models.emplace(std::string(folderOf(entries[i].path)), i);
    }
    for (const LibraryEntry& entry : entries) {
        if (entry.kind != LibraryKind::Projector || entry.state != FileState::Present) continue;
        std::vector<std::size_t> here;
        std::vector<std::size_t> named;
        const std::string name = comparable(withoutQuantLabel(entry.name));
        const auto [begin, end] = models.equal_range(folderOf(entry.path));
        for (auto at = begin; at != end; ++at) {
            here.push_back(at->second);
            const std::string model = comparable(withoutQuantLabel(entries[at->second].name));
            if (!model.empty() && name.find(model) != std::string::npos) named.push_back(at->second);
        }
        for (const std::size_t index : named.empty() ? here : named)
            entries[index].projectors.push_back(entry.path);
    }
    for (LibraryEntry& entry : entries) {
        std::sort(entry.projectors.begin(), entry.projectors.end());
        entry.projectors.erase(std::unique(entry.projectors.begin(), entry.projectors.end()),
                               entry.projectors.end());
    }
}

/// What the files of one model have in common.
std::string groupKey(const LibraryEntry& entry) {
    const protocol::IndexFacts& facts = entry.facts;
    // What cannot be read is like nothing else; side files and models do not mix.
    if (entry.kind != LibraryKind::Model || (entry.fault && facts.architecture.empty())) return entry.path;
    std::string name = comparable(facts.baseName + facts.fineTune + facts.sizeLabel);
    if (facts.baseName.empty() || name.size() < kLeastName) name = comparable(withoutQuantLabel(facts.name));
    if (name.size() < kLeastName) name = comparable(withoutQuantLabel(entry.name));
    return name + "|" + facts.architecture + "|" + std::to_string(facts.layers) + "|" +
           std::to_string(facts.width);
}

std::string groupName(const LibraryEntry& entry) {
    const std::string name = withoutQuantLabel(entry.facts.name);
    if (entry.kind != LibraryKind::Model || comparable(name).size() < kLeastName)
        return withoutQuantLabel(entry.name);
    return name;
}

}  // namespace

const char* nameOf(FileState state) {
    switch (state) {
        case FileState::Present: return "present";
        case FileState::Missing: return "missing";
        case FileState::Unreachable: break;
    }
    return "unreachable";
}

const char* nameOf(LibraryKind kind) {
    switch (kind) {
        case LibraryKind::Model: return "model";
        case LibraryKind::Projector: return "projector";
        case LibraryKind::Adapter: return "adapter";
        case LibraryKind::Other: break;
    }
    return "other";
}

std::string mainTypeOf(const protocol::IndexFacts& facts) {
    const auto most =
        std::max_element(facts.types.begin(), facts.types.end(), [](const auto& a, const auto& b) {
            return a.values != b.values ? a.values < b.values : a.type > b.type;
        });
    return most == facts.types.end() ? std::string() : most->type;
}

std::vector<LibraryEntry> entriesOf(std::span<const LibraryFile> files,
                                    std::span<const LibraryPlace> places) {
    std::vector<Set> sets;
    std::map<std::pair<std::string, std::uint32_t>, std::size_t> open;
    for (const LibraryFile& file : files) {
        const auto shard = gguf::parseShardName(file.file.path);
        if (!shard) {
            sets.push_back({{{1, &file}}, 0, {}});
            continue;
        }
        const auto [place, fresh] = open.try_emplace({shard->prefix, shard->count}, sets.size());
        if (fresh) sets.push_back({{}, shard->count, shard->prefix});
        sets[place->second].parts.emplace(shard->number, &file);
    }
    std::vector<LibraryEntry> entries;
    entries.reserve(sets.size());
    for (const Set& set : sets)
        entries.push_back(entryOf(set, places));
    attachProjectors(entries);
    return entries;
}

std::vector<LibraryGroup> groupsOf(std::vector<LibraryEntry>& entries) {
    std::vector<LibraryGroup> groups;
    std::map<std::string, std::size_t> known;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        LibraryEntry& entry = entries[i];
        const auto [place, fresh] = known.try_emplace(groupKey(entry), groups.size());
        if (fresh) groups.push_back({groupName(entry), {}, 0});
        entry.group = place->second;
        groups[entry.group].entries.push_back(i);
        add(groups[entry.group].bytes, entry.bytes);
    }
    return groups;
}

}  // namespace loader::app
