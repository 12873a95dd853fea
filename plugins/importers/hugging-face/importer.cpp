// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/hugging-face/importer.h"

#include <algorithm>
#include <map>

#include "plugins/importers/common/hub_cache.h"
#include "plugins/importers/common/key_rules.h"
#include "plugins/importers/common/model_key.h"
#include "plugins/importers/common/model_sets.h"

namespace loader::importers {
namespace {

constexpr std::string_view kManifest = "manifest=";
constexpr std::string_view kModels = "models--";
constexpr std::string_view kUnfinished = "The download was not finished";

bool isManifest(const std::string& name) {
    return name.starts_with(kManifest) && name.ends_with(".json");
}

bool isUnfinished(const std::string& name) {
    return name.ends_with(".incomplete") || name.ends_with(".downloadInProgress") ||
           name.ends_with(".part") || name.ends_with(".lock");
}

/// Where llama.cpp kept its downloads before it used the hub's cache.
std::string flatFolder(const app::SearchRoots& roots) {
    const std::string named = expandedPath(roots.variable("LLAMA_CACHE"), roots);
    return named.empty() ? joined(roots.cacheHome, "llama.cpp") : named;
}

bool holdsHub(const std::string& folder) {
    const std::vector<std::string> names = namesIn(folder, 10'000);
    return std::any_of(names.begin(), names.end(), [&folder](const std::string& name) {
        return name.starts_with(kModels) && isFolder(joined(folder, name));
    });
}

bool holdsFlat(const std::string& folder) {
    const std::vector<std::string> names = namesIn(folder, 10'000);
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return isGgufName(name) || isManifest(name); });
}

/// --- the hub ---

void readRepository(const std::string& cache, const std::string& id, app::ImportSink& sink) {
    const HubRepository repository = readHubRepository(cache, id);
    const std::string folder = joined(cache, repository.folder);
    if (repository.files.empty()) {
        const std::string others = std::to_string(repository.otherFiles);
        sink.ignored({folder, {}}, nullptr, "No GGUF files are in it, but " + others + " others");
    }
    for (const HubFile& file : repository.files) {
        const app::SourceKey source{file.path, {}};
        if (!file.fault.empty())
            sink.ignored(source, nullptr, file.fault);
        else
            sink.model(source, {file.path, id + "/" + fileName(file.path), file.projector, file.sha256},
                       file.note);
    }
    for (const std::string& name : namesIn(joined(folder, "blobs"))) {
        if (isUnfinished(name)) sink.ignored({joined(folder, "blobs/" + name), {}}, nullptr, kUnfinished);
    }
}

Status readHub(const std::string& cache, app::ImportSink& sink, CancelToken cancel) {
    for (const std::string& name : namesIn(cache)) {
        LOADER_CHECK(cancel.check());
        if (name.starts_with("datasets--") || name.starts_with("spaces--"))
            sink.ignored({joined(cache, name), {}}, nullptr, "It is no model");
    }
    for (const std::string& id : hubRepositories(cache)) {
        LOADER_CHECK(cancel.check());
        readRepository(cache, id, sink);
    }
    return {};
}

/// --- llama.cpp's flat folder ---

/// What a manifest says of a file of the cache.
struct Described {
    std::string name;
    std::string sha256;
};

std::string textAt(const Json& object, std::string_view key) {
    if (!object.is_object()) return {};
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// "manifest=USER=MODEL=TAG.json" is USER/MODEL:TAG, and the prefix of its files.
struct ManifestName {
    std::string display;
    std::string prefix;
};
ManifestName manifestName(const std::string& file) {
    std::vector<std::string> parts;
    std::string rest =
        file.substr(kManifest.size(), file.size() - kManifest.size() - std::string_view(".json").size());
    for (std::size_t at = rest.find('='); at != std::string::npos; at = rest.find('=')) {
        parts.push_back(rest.substr(0, at));
        rest.erase(0, at + 1);
    }
    if (parts.size() != 2) return {};
    return {parts[0] + "/" + parts[1] + ":" + rest, parts[0] + "_" + parts[1] + "_"};
}

/// Folders of a repository's file become _ in the flat cache.
std::string flatName(const ManifestName& manifest, std::string file) {
    std::replace(file.begin(), file.end(), '/', '_');
    return manifest.prefix + file;
}

class FlatReader {
public:
    FlatReader(const std::string& folder, app::ImportSink& sink) : m_folder(folder), m_sink(sink) {}

    Status read(CancelToken cancel) {
        m_names = namesIn(m_folder);
        for (const std::string& name : m_names) {
            LOADER_CHECK(cancel.check());
            if (isManifest(name)) readManifest(name);
        }
        std::vector<std::string> files;
        for (const std::string& name : m_names) {
            if (isUnfinished(name)) m_sink.ignored({joined(m_folder, name), {}}, nullptr, kUnfinished);
            if (isGgufName(name)) files.push_back(name);
        }
        for (const ModelSet& set : setsOf(files))
            tell(set);
        return {};
    }

private:
    /// Everything lies in one folder, so projectors belong by the manifest or by the repository in their
    /// name.
    std::vector<ModelSet> setsOf(const std::vector<std::string>& files) const {
        std::vector<ModelSet> sets = modelSets(files);
        for (ModelSet& set : sets) {
            const auto named = m_projectors.find(set.file);
            set.projector = named == m_projectors.end() ? std::string() : named->second;
        }
        // A folder with models has projectors that no set speaks of.
        for (const std::string& file : files) {
            if (!isProjectorName(file)) continue;
            const bool used = std::any_of(sets.begin(), sets.end(), [&file](const ModelSet& set) {
                return set.projector == file || set.file == file;
            });
            if (!used) sets.push_back({file, 1, {}, "A projector without its model"});
        }
        return sets;
    }

    void tell(const ModelSet& set) const {
        const std::string path = joined(m_folder, set.file);
        const app::SourceKey source{path, {}};
        if (!set.fault.empty()) return m_sink.ignored(source, nullptr, set.fault);
        if (!isGguf(path)) return m_sink.ignored(source, nullptr, "It does not begin as a GGUF file does");
        const auto found = m_described.find(set.file);
        const Described described = found == m_described.end() ? Described() : found->second;
        const std::string projector = set.projector.empty() ? std::string() : joined(m_folder, set.projector);
        m_sink.model(source, {path, described.name, projector, described.sha256}, set.note());
    }

    void readManifest(const std::string& name) {
        const std::string path = joined(m_folder, name);
        const auto text = app::readJsonFile(path);
        if (!text) return noteUnreadable(m_sink, path, text.error());
        const KeyWalk walk(path, m_sink);
        const ManifestName own = manifestName(name);
        const Json& document = text->document;
        if (!document.is_object() || own.prefix.empty())
            return walk.ignore({}, nullptr, "It is no manifest of llama.cpp");
        const std::string model = describe(own, document, "ggufFile", own.display);
        const std::string projector = describe(own, document, "mmprojFile", {});
        if (!model.empty() && !projector.empty()) m_projectors[model] = projector;
        for (const auto& [key, value] : document.items()) {
            const bool of = key == "ggufFile" || key == "mmprojFile";
            walk.ignore(key, value, of ? kOfTheModel : std::string_view("It describes the download"));
        }
        walk.repeated(*text);
    }

    /// @return the file's name in the cache
    std::string describe(const ManifestName& own, const Json& document, std::string_view key,
                         const std::string& display) {
        const auto part = document.find(key);
        const std::string remote = part == document.end() ? std::string() : textAt(*part, "rfilename");
        if (remote.empty()) return {};
        std::string file = flatName(own, remote);
        const auto stored = part->find("lfs");
        Described described{display, stored == part->end() ? std::string() : textAt(*stored, "sha256")};
        constexpr std::size_t kDigits = 64;
        if (described.sha256.size() != kDigits) described.sha256.clear();
        m_described[file] = std::move(described);
        return file;
    }

    std::string m_folder;
    app::ImportSink& m_sink;
    std::vector<std::string> m_names;
    std::map<std::string, Described> m_described;
    std::map<std::string, std::string> m_projectors;
};

}  // namespace

std::vector<app::Candidate> HuggingFaceImporter::findCandidates(const app::SearchRoots& roots) const {
    std::vector<app::Candidate> found;
    for (const std::string& folder : hubFolders(roots)) {
        if (holdsHub(folder)) found.push_back({folder, "cache of the hub"});
    }
    const std::string flat = flatFolder(roots);
    const bool listed = std::any_of(found.begin(), found.end(),
                                    [&flat](const app::Candidate& other) { return other.path == flat; });
    if (!listed && holdsFlat(flat)) found.push_back({flat, "downloads of llama.cpp"});
    return found;
}

app::Confidence HuggingFaceImporter::check(const std::string& path) const {
    if (!isFolder(path)) return app::Confidence::No;
    if (holdsHub(path)) return app::Confidence::Sure;
    const std::vector<std::string> names = namesIn(path, 10'000);
    if (std::any_of(names.begin(), names.end(), isManifest)) return app::Confidence::Sure;
    // A folder of one repository.
    if (fileName(path).starts_with(kModels) && isFolder(joined(path, "snapshots")))
        return app::Confidence::Sure;
    return fileName(path) == "llama.cpp" && holdsFlat(path) ? app::Confidence::Maybe : app::Confidence::No;
}

Status HuggingFaceImporter::read(const std::string& path, const app::SearchRoots& roots,
                                 app::ImportSink& sink, CancelToken cancel) const {
    static_cast<void>(roots);
    LOADER_CHECK(cancel.check());
    if (isFile(path)) return Error(Errc::C501, {"it is a file, not the folder of a cache"}, path);
    if (!isFolder(path)) return Error(Errc::F802, {}, path);
    const std::string name = fileName(path);
    if (name.starts_with(kModels) && isFolder(joined(path, "snapshots"))) {
        std::string id = name.substr(kModels.size());
        const std::size_t dashes = id.find("--");
        if (dashes != std::string::npos) id.replace(dashes, 2, "/");
        readRepository(folderOf(path), id, sink);
        return {};
    }
    LOADER_CHECK(readHub(path, sink, cancel));
    return FlatReader(path, sink).read(cancel);
}

}  // namespace loader::importers
