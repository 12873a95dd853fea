// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/common/hub_cache.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "core/app/storage/small_file.h"
#include "plugins/importers/common/model_sets.h"
#include "plugins/importers/common/places.h"

namespace loader::importers {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModels = "models--";
constexpr std::size_t kMostRefBytes = 1024;
constexpr std::size_t kSha256Digits = 64;

bool isHexadecimal(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string utf8Of(const fs::path& path) {
    const auto text = path.generic_u8string();
    return std::string(text.begin(), text.end());
}

/// The commit that refs/main names; empty where there is none.
std::string mainCommit(const std::string& repository) {
    const auto text = app::readSmallFile(joined(repository, "refs/main"), kMostRefBytes);
    if (!text) return {};
    const std::size_t end = text->find_last_not_of(" \r\n\t");
    std::string commit = end == std::string::npos ? std::string() : text->substr(0, end + 1);
    // A commit is a folder's name below: nothing else may come out of a foreign file.
    return isHexadecimal(commit) ? commit : std::string();
}

/// Where a link of a snapshot leads; the file itself where it is none.
std::string blobOf(const std::string& path) {
    std::error_code fault;
    const fs::path target = fs::weakly_canonical(fs::u8path(path), fault);
    return fault ? path : utf8Of(target);
}

std::string sha256Of(const std::string& blob) {
    const std::string name = fileName(blob);
    return name.size() == kSha256Digits && isHexadecimal(name) ? name : std::string();
}

std::string faultOf(const std::string& path) {
    std::error_code fault;
    const bool link = fs::is_symlink(fs::u8path(path), fault);
    if (!isFile(path)) return link ? "Its content is not in the cache" : "It is no file";
    return isGguf(path) ? std::string() : "It does not begin as a GGUF file does";
}

struct Snapshot {
    std::string commit;
    std::vector<std::string> files;
};

/// The one of refs/main first; of those that no ref names, the order of names.
std::vector<Snapshot> snapshotsOf(const std::string& repository) {
    std::vector<Snapshot> snapshots;
    const std::string main = mainCommit(repository);
    for (const std::string& commit : namesIn(joined(repository, "snapshots"), 1000))
        snapshots.push_back({commit, filesBelow(joined(repository, "snapshots/" + commit))});
    const auto isMain = [&main](const Snapshot& snapshot) { return snapshot.commit == main; };
    std::stable_partition(snapshots.begin(), snapshots.end(), isMain);
    return snapshots;
}

HubFile hubFile(const std::string& cache, const std::string& below, const ModelSet& set) {
    HubFile file;
    file.relative = joined(below, set.file);
    file.path = joined(cache, file.relative);
    file.note = set.note();
    file.fault = set.fault.empty() ? faultOf(file.path) : set.fault;
    if (!set.projector.empty()) file.projector = joined(joined(cache, below), set.projector);
    if (file.fault.empty() && set.parts == 1) file.sha256 = sha256Of(blobOf(file.path));
    return file;
}

std::string folderNameOf(std::string_view id) {
    std::string name(kModels);
    for (const char c : id)
        name += c == '/' ? std::string("--") : std::string(1, c);
    return name;
}

/// Of the usable ones the best by rank, then by name.
const HubFile* bestOf(const HubRepository& repository, std::string_view quant, std::string_view name) {
    const HubFile* best = nullptr;
    for (const HubFile& file : repository.files) {
        const std::string own = fileName(file.path);
        if (!file.fault.empty()) continue;
        if (!name.empty() && own != name && !endsWithNoCase(file.relative, "/" + std::string(name))) continue;
        if (!quant.empty() && !endsWithNoCase(quantInName(own), quant)) continue;
        if (!best || quantRank(own) < quantRank(fileName(best->path))) best = &file;
    }
    return best;
}

}  // namespace

std::vector<std::string> hubFolders(const app::SearchRoots& roots) {
    std::vector<std::string> folders;
    const auto add = [&](const std::string& folder) {
        if (!folder.empty() && std::find(folders.begin(), folders.end(), folder) == folders.end())
            folders.push_back(folder);
    };
    const auto below = [](const std::string& folder, std::string_view name) {
        return folder.empty() ? folder : joined(folder, name);
    };
    for (const std::string_view name : {"LLAMA_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
        add(expandedPath(roots.variable(name), roots));
    add(below(expandedPath(roots.variable("HF_HOME"), roots), "hub"));
    add(below(expandedPath(roots.variable("XDG_CACHE_HOME"), roots), "huggingface/hub"));
    // On every system, Windows too.
    add(below(roots.home, ".cache/huggingface/hub"));
    return folders;
}

std::vector<std::string> hubRepositories(const std::string& cache) {
    std::vector<std::string> ids;
    for (const std::string& name : namesIn(cache)) {
        if (!name.starts_with(kModels) || !isFolder(joined(cache, name))) continue;
        std::string id = name.substr(kModels.size());
        // A repository without an organisation has one part only.
        const std::size_t dashes = id.find("--");
        if (dashes != std::string::npos) id.replace(dashes, 2, "/");
        ids.push_back(std::move(id));
    }
    return ids;
}

HubRepository readHubRepository(const std::string& cache, const std::string& id) {
    HubRepository repository;
    repository.id = id;
    repository.folder = folderNameOf(id);
    const std::string whole = joined(cache, repository.folder);
    std::map<std::string, std::string> known;  // content -> where it was first
    std::map<std::string, std::string> named;  // name in the snapshot -> commit
    for (const Snapshot& snapshot : snapshotsOf(whole)) {
        const std::string below = joined(repository.folder, "snapshots/" + snapshot.commit);
        if (known.empty()) {
            repository.otherFiles = static_cast<std::size_t>(
                std::count_if(snapshot.files.begin(), snapshot.files.end(),
                              [](const std::string& file) { return !isGgufName(file); }));
        }
        for (const ModelSet& set : modelSets(snapshot.files)) {
            HubFile file = hubFile(cache, below, set);
            const auto same = known.emplace(blobOf(file.path), file.relative);
            if (!same.second) continue;
            const auto newer = named.emplace(set.file, snapshot.commit);
            if (!newer.second && file.fault.empty())
                file.fault = "An older version; there is one of " + newer.first->second.substr(0, 8);
            repository.files.push_back(std::move(file));
        }
    }
    return repository;
}

std::string modelInHub(const app::SearchRoots& roots, std::string_view reference, std::string_view fileName) {
    const std::size_t colon = reference.find(':');
    const std::string id(reference.substr(0, colon));
    const std::string_view quant =
        colon == std::string_view::npos ? std::string_view() : reference.substr(colon + 1);
    const bool plain = id.find('/') != std::string::npos && id.find("..") == std::string::npos &&
                       std::count(id.begin(), id.end(), '/') == 1 && id.find('\\') == std::string::npos;
    if (!plain) return {};
    for (const std::string& cache : hubFolders(roots)) {
        const HubRepository repository = readHubRepository(cache, id);
        if (const HubFile* best = bestOf(repository, quant, fileName)) return best->path;
    }
    return {};
}

std::string anyModelInHub(const app::SearchRoots& roots) {
    for (const std::string& cache : hubFolders(roots)) {
        std::string best;
        for (const std::string& id : hubRepositories(cache)) {
            const HubRepository repository = readHubRepository(cache, id);
            const HubFile* file = bestOf(repository, {}, {});
            if (file && (best.empty() || quantRank(fileName(file->path)) < quantRank(fileName(best))))
                best = file->path;
        }
        if (!best.empty()) return best;
    }
    return {};
}

}  // namespace loader::importers
