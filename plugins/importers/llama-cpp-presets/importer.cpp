// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/llama-cpp-presets/importer.h"

#include <algorithm>
#include <map>

#include "core/app/import/router_presets.h"
#include "core/app/storage/small_file.h"
#include "plugins/importers/common/hub_cache.h"
#include "plugins/importers/common/model_key.h"

namespace loader::importers {
namespace {

namespace settings = app::settings;
using app::PresetMeaning;
using app::PresetOption;

constexpr std::string_view kAll = "*";
constexpr std::string_view kNegation = "no-";

/// An option by a key, and whether "no-" or a variable's NO_ was in front of it.
struct Named {
    const PresetOption* option = nullptr;
    bool negated = false;
};
Named optionOf(const std::string& key) {
    if (const PresetOption* option = app::findPresetOption(key)) return {option, false};
    constexpr std::string_view kVariable = "LLAMA_ARG_NO_";
    if (key.starts_with(kNegation)) return {app::findPresetOption(key.substr(kNegation.size())), true};
    if (key.starts_with(kVariable))
        return {app::findPresetOption("LLAMA_ARG_" + key.substr(kVariable.size())), true};
    return {};
}

Taken layers(const Json& value) {
    const Json number = numberOf(value);
    if (value == "auto" || value == "all") return Taken::set(value);
    if (number == -1) return Taken::set("auto", "-1 is automatic there");
    if (number.is_number() && number.get<double>() < -1)
        return Taken::set("all", "Below -1 is all layers there");
    return sameMeaning(value, settings::kLoadGpuLayers);
}

Taken names(const std::string& text) {
    Json list = Json::array();
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(';'), rest.size());
        list.push_back(std::string(rest.substr(0, end)));
        rest = rest.substr(std::min(end + 1, rest.size()));
    }
    return samplerOrder(list);
}

Taken flag(const Json& value, bool negated) {
    Json known = boolOf(value);
    if (known.is_discarded()) return Taken::refuse("It is true or false");
    return negated ? Taken::set(!known.get<bool>(), "There it is the opposite") : Taken::set(known);
}

Taken takenBy(const PresetOption& option, bool negated, const std::string& text) {
    const Json value = text;
    switch (option.meaning) {
        case PresetMeaning::Flag: return flag(value, negated);
        case PresetMeaning::Layers: return layers(value);
        case PresetMeaning::Threads: return threadsOrAuto(value);
        case PresetMeaning::Tokens: return tokensOrUnlimited(value);
        case PresetMeaning::CacheType: return cacheTypeByName(value);
        case PresetMeaning::Seed: return seedOrRandom(value);
        case PresetMeaning::NameList: return names(text);
        case PresetMeaning::Device:
            if (text == "none") return Taken::set("cpu", "The processor alone");
            return Taken::ignore("Devices have other names here: load.device");
        default: return sameMeaning(value, option.target);
    }
}

/// One section: its model is found first, because all else belongs to it.
class SectionReader {
public:
    SectionReader(const KeyWalk& walk, Places& places, const app::SearchRoots& roots,
                  const app::PresetSection& section)
        : m_walk(walk), m_places(places), m_roots(roots), m_section(section), m_base(folderOf(walk.file())) {
        for (const app::PresetEntry& entry : section.entries) {
            const Named named = optionOf(entry.key);
            if (named.option) m_last[named.option->name] = &entry;
        }
    }

    void read() {
        findModel();
        for (const app::PresetEntry& entry : m_section.entries)
            take(entry);
    }

private:
    const app::PresetEntry* entryOf(std::string_view option) const {
        const auto found = m_last.find(option);
        return found == m_last.end() ? nullptr : found->second;
    }
    std::string valueOf(std::string_view option) const {
        const app::PresetEntry* entry = entryOf(option);
        return entry ? entry->value : std::string();
    }
    std::string keyOf(const app::PresetEntry& entry) const { return joinedKey(m_section.name, entry.key); }

    /// By its path, by its repository, or because the section's name is one of the hub.
    void findModel() {
        if (m_section.name == kAll || m_section.name.empty()) return;
        m_owner = app::SettingOwner::preset(m_section.name);
        app::ImportedModel more;
        const std::string alias = valueOf("alias");
        more.name = alias.empty() ? m_section.name : alias;
        more.projector = projectorPath(m_places, valueOf("mmproj"), m_base);
        const app::PresetEntry* path = entryOf("model");
        const app::PresetEntry* repository = entryOf("hf-repo");
        if (path) {
            m_modelEntry = path;
            m_model = takeModel(m_walk, m_places, keyOf(*path), path->value, m_base, more);
        } else {
            const std::string reference = repository ? repository->value : m_section.name;
            const std::string found = modelInHub(m_roots, reference, valueOf("hf-file"));
            if (found.empty()) return;
            m_modelEntry = repository;
            more.path = m_model = found;
            // The line of the section itself, where no key names the model.
            m_walk.sink().model(m_walk.at(repository ? keyOf(*repository) : "[" + m_section.name + "]"), more,
                                "It is in the cache of the hub");
        }
        if (!m_model.empty()) m_owner = app::SettingOwner::model(m_model);
    }

    void take(const app::PresetEntry& entry) {
        const Named named = optionOf(entry.key);
        const std::string key = keyOf(entry);
        const Json value = entry.value;
        if (&entry == m_modelEntry) return;
        if (!named.option) return m_walk.unknown(key, value);
        if (entryOf(named.option->name) != &entry)
            return m_walk.ignore(key, nullptr, "This key stands more than once; the last one counts");
        switch (named.option->meaning) {
            case PresetMeaning::Secret: return m_walk.secret(key, value);
            case PresetMeaning::None: return m_walk.ignore(key, value, named.option->reason);
            case PresetMeaning::Model: takeModel(m_walk, m_places, key, value, m_base); return;
            case PresetMeaning::Projector:
                return takeProjector(m_walk, m_places, key, value, m_base, !m_model.empty());
            case PresetMeaning::Repository:
            case PresetMeaning::RepositoryFile:
            case PresetMeaning::Alias:
                return m_walk.ignore(
                    key, value,
                    m_model.empty() ? std::string_view("Its model is not on this machine") : kOfTheModel);
            default: break;
        }
        const app::PresetEntry* keys = entryOf("cache-type-k");
        const bool other = named.option->name == "cache-type-v" && keys && keys->value != entry.value;
        if (other) return m_walk.ignore(key, value, "Keys and values have one type here, that of the keys");
        const Taken taken = takenBy(*named.option, named.negated, entry.value);
        // As the file's reader understands it, so that a number that stays is not called changed.
        const bool same = taken.kind == Taken::Kind::Set && !named.negated && taken.words.empty();
        m_walk.set(key, m_owner, named.option->target, taken, same ? taken.value : value);
    }

    const KeyWalk& m_walk;
    Places& m_places;
    const app::SearchRoots& m_roots;
    const app::PresetSection& m_section;
    std::string m_base;
    std::map<std::string_view, const app::PresetEntry*> m_last;
    std::string m_model;
    const app::PresetEntry* m_modelEntry = nullptr;
    app::SettingOwner m_owner;
};

bool isIni(const std::string& path) {
    return endsWithNoCase(path, ".ini") || endsWithNoCase(path, ".preset");
}

/// Sections of one name are one section.
std::vector<app::PresetSection> merged(const std::vector<app::PresetSection>& sections) {
    std::vector<app::PresetSection> whole;
    std::map<std::string, std::size_t> places;
    for (const app::PresetSection& section : sections) {
        const auto place = places.emplace(section.name, whole.size());
        if (place.second) {
            whole.push_back(section);
            continue;
        }
        auto& entries = whole[place.first->second].entries;
        entries.insert(entries.end(), section.entries.begin(), section.entries.end());
    }
    return whole;
}

}  // namespace

std::vector<app::Candidate> LlamaCppPresetsImporter::findCandidates(const app::SearchRoots& roots) const {
    // It is named on the command line of the server; these are the names its documents use.
    std::vector<app::Candidate> found;
    for (const std::string& folder : {roots.working, roots.home, joined(roots.configHome, "llama.cpp"),
                                      joined(roots.cacheHome, "llama.cpp")}) {
        for (const std::string_view name : {"models.ini", "presets.ini", "preset.ini", "my-models.ini"}) {
            const std::string path = joined(folder, name);
            if (folder.empty() || check(path) == app::Confidence::No) continue;
            found.push_back({path, "presets"});
        }
    }
    return found;
}

app::Confidence LlamaCppPresetsImporter::check(const std::string& path) const {
    if (!isIni(path)) return app::Confidence::No;
    constexpr std::size_t kMostBytes = 64 * 1024;
    auto head = app::decodedText(firstBytes(path, kMostBytes));
    if (!head) return app::Confidence::No;
    const auto parsed = app::parseRouterPresets(head->text);
    if (!parsed) return app::Confidence::No;
    std::size_t known = 0;
    std::size_t all = 0;
    for (const app::PresetSection& section : parsed->sections) {
        for (const app::PresetEntry& entry : section.entries) {
            ++all;
            known += optionOf(entry.key).option ? 1 : 0;
        }
    }
    if (known == 0 || known * 2 < all) return app::Confidence::No;
    return known >= 2 ? app::Confidence::Sure : app::Confidence::Maybe;
}

Status LlamaCppPresetsImporter::read(const std::string& path, const app::SearchRoots& roots,
                                     app::ImportSink& sink, CancelToken cancel) const {
    LOADER_TRY(std::string bytes, app::readSmallFile(path));
    auto decoded = app::decodedText(std::move(bytes));
    if (!decoded) return std::move(decoded).error().within(path);
    auto parsed = app::parseRouterPresets(decoded->text);
    if (!parsed) return std::move(parsed).error().within(path);
    const KeyWalk walk(path, sink);
    Places places(roots);
    for (const app::PresetSection& section : merged(parsed->sections)) {
        LOADER_CHECK(cancel.check());
        if (section.name.empty()) {
            // Before the first section only the version stands; a section without a name holds for nobody.
            for (const app::PresetEntry& entry : section.entries) {
                const bool version = entry.key == "version";
                walk.ignore(entry.key, entry.value,
                            version ? "The version of the format" : "It is in no section");
            }
            continue;
        }
        SectionReader(walk, places, roots, section).read();
    }
    for (const unsigned line : parsed->strangeLines)
        sink.invalid({path, "line " + std::to_string(line)}, nullptr,
                     "It is neither a section nor a key with a value");
    return {};
}

}  // namespace loader::importers
