// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/places.h"

#include <algorithm>

namespace loader::app {
namespace {

#ifdef _WIN32
constexpr char kListSeparator = ';';
#else
constexpr char kListSeparator = ':';
#endif

/// "~" in front is the home folder; nothing else is replaced.
std::string expanded(const std::string& folder, const std::string& home) {
    if (folder == "~") return home;
    if (folder.rfind("~/", 0) == 0) return home + folder.substr(1);
    return folder;
}

/// Without slashes at the end, except that of a root.
std::string trimmed(std::string path) {
    while (path.size() > 1 && (path.back() == '/' || path.back() == '\\') && path[path.size() - 2] != ':')
        path.pop_back();
    return path;
}

class Places {
public:
    void add(PlaceKind kind, const std::string& path, bool usual) {
        const std::string place = trimmed(path);
        if (place.empty()) return;
        const auto same = [&](const LibraryPlace& other) { return other.path == place; };
        if (std::any_of(m_places.begin(), m_places.end(), same)) return;
        LibraryPlace added;
        added.kind = kind;
        added.path = place;
        if (kind == PlaceKind::BuiltIn) added.name = "guide";
        added.usual = usual;
        m_places.push_back(std::move(added));
    }
    std::vector<LibraryPlace> take() { return std::move(m_places); }

private:
    std::vector<LibraryPlace> m_places;
};

/// The first folder that is named wins, as it does for the programs that own these caches.
/// @source huggingface_hub src/huggingface_hub/constants.py; llama.cpp common/hf-cache.cpp
void addHub(Places& places, const PlaceQuery& query) {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
        const std::string folder = query.variable(name);
        if (!folder.empty()) return places.add(PlaceKind::HubCache, expanded(folder, query.home), true);
    }
    const std::string own = query.variable("HF_HOME");
    if (!own.empty()) return places.add(PlaceKind::HubCache, expanded(own, query.home) + "/hub", true);
    const std::string caches = query.variable("XDG_CACHE_HOME");
    const std::string folder = caches.empty() ? query.home + "/.cache" : caches;
    places.add(PlaceKind::HubCache, folder + "/huggingface/hub", true);
}

/// @source llama.cpp common/common.cpp, fs_get_cache_directory
void addFlat(Places& places, const PlaceQuery& query) {
    const std::string named = query.variable("LLAMA_CACHE");
    // Newer versions keep the hub's layout there, older ones files: both are found in either.
    if (!named.empty()) return places.add(PlaceKind::FlatCache, expanded(named, query.home), true);
#if defined(_WIN32)
    const std::string local = query.variable("LOCALAPPDATA");
    if (!local.empty()) places.add(PlaceKind::FlatCache, local + "\\llama.cpp", true);
#elif defined(__APPLE__)
    places.add(PlaceKind::FlatCache, query.home + "/Library/Caches/llama.cpp", true);
#else
    const std::string caches = query.variable("XDG_CACHE_HOME");
    const std::string folder = caches.empty() ? query.home + "/.cache" : caches;
    places.add(PlaceKind::FlatCache, folder + "/llama.cpp", true);
#endif
}

}  // namespace

const char* nameOf(PlaceKind kind) {
    switch (kind) {
        case PlaceKind::Folder: return "folder";
        case PlaceKind::Single: return "file";
        case PlaceKind::HubCache: return "hub";
        case PlaceKind::FlatCache: return "cache";
        case PlaceKind::BuiltIn: break;
    }
    return "built-in";
}

bool isCache(PlaceKind kind) {
    return kind == PlaceKind::HubCache || kind == PlaceKind::FlatCache;
}

std::string defaultModelFolder(const std::string& dataHome) {
    return dataHome + "/gguf-loader/models";
}

std::vector<LibraryPlace> usualPlaces(const PlaceQuery& query) {
    Places places;
    if (!query.guide.empty()) places.add(PlaceKind::BuiltIn, query.guide, true);
    if (!query.dataHome.empty()) places.add(PlaceKind::Folder, defaultModelFolder(query.dataHome), true);
    for (const std::string& folder : query.folders)
        places.add(PlaceKind::Folder, expanded(folder, query.home), false);
    const std::string listed = query.variable("GGUF_LOADER_MODELS");
    for (std::size_t begin = 0; begin < listed.size();) {
        const std::size_t end = std::min(listed.find(kListSeparator, begin), listed.size());
        places.add(PlaceKind::Folder, listed.substr(begin, end - begin), false);
        begin = end + 1;
    }
    addHub(places, query);
    addFlat(places, query);
    return places.take();
}

}  // namespace loader::app
