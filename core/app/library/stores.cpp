// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/stores.h"

#include <algorithm>
#include <utility>

#include "core/app/library/file_identity.h"
#include "core/app/library/file_names.h"
#include "core/app/storage/json_text.h"
#include "core/app/storage/small_file.h"
#include "core/app/storage/utf8_path.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHubPrefix = "models--";
constexpr std::string_view kHubJoint = "--";
constexpr std::string_view kModelLayer = "application/vnd.ollama.image.model";
constexpr std::string_view kDigestPrefix = "sha256:";
/// A commit hash with a line end.
constexpr std::size_t kMostReference = 256;
constexpr std::size_t kMostManifest = std::size_t{1} << 20;
constexpr std::size_t kMostManifests = 20'000;
/// manifests/HOST/NAMESPACE/NAME/TAG, and some room.
constexpr std::size_t kManifestDepth = 8;

/// The entries of a folder by name; what cannot be read is empty.
std::vector<fs::path> entriesOf(const fs::path& folder) {
    std::vector<fs::path> entries;
    std::error_code fault;
    for (fs::directory_iterator at(folder, fault), end; !fault && at != end; at.increment(fault))
        entries.push_back(at->path());
    std::sort(entries.begin(), entries.end());
    return entries;
}

bool isKind(const fs::path& path, FileIdentity::Kind kind) {
    const auto identity = identify(nativeText(path));
    return identity.ok() && identity->kind == kind;
}

/// "registry.ollama.ai/library/NAME/TAG" is "NAME:TAG": the usual host and namespace are left out.
std::string storedName(const fs::path& manifest, const fs::path& root) {
    std::vector<std::string> parts;
    for (const fs::path& part : manifest.lexically_relative(root))
        parts.push_back(nativeText(part));
    if (parts.size() < 2) return nativeText(manifest.filename());
    const std::string tag = parts.back();
    parts.pop_back();
    if (parts.size() > 1 && parts.front() == "registry.ollama.ai") parts.erase(parts.begin());
    if (parts.size() > 1 && parts.front() == "library") parts.erase(parts.begin());
    std::string name;
    for (const std::string& part : parts)
        name += (name.empty() ? "" : "/") + part;
    return name + ":" + tag;
}

void addManifest(const fs::path& manifest, const fs::path& store, std::vector<StoredModel>& models,
                 std::vector<Error>& notes) {
    auto text = readSmallFile(nativeText(manifest), kMostManifest);
    auto parsed = text ? parseJson(*text) : Result<JsonText>(text.error());
    if (!parsed) {
        notes.push_back(std::move(parsed).error().within(nativeText(manifest)));
        return;
    }
    const Json& document = parsed->document;
    const auto layers = document.find("layers");
    if (!document.is_object() || layers == document.end() || !layers->is_array()) return;
    for (const Json& layer : *layers) {
        if (!layer.is_object() || !layer.contains("mediaType") || !layer.contains("digest")) continue;
        if (layer["mediaType"] != kModelLayer || !layer["digest"].is_string()) continue;
        const auto digest = layer["digest"].get<std::string>();
        // The digest becomes a file name: it may hold nothing else.
        if (digest.rfind(kDigestPrefix, 0) != 0) continue;
        const std::string sha256 = sha256In(std::string_view(digest).substr(kDigestPrefix.size()));
        if (sha256.empty()) continue;
        const std::string name = storedName(manifest, store / "manifests");
        models.push_back({store / "blobs" / ("sha256-" + sha256), name, sha256});
        return;
    }
}

}  // namespace

std::string hubRepository(const std::string& folderName) {
    if (folderName.rfind(kHubPrefix, 0) != 0) return {};
    std::string name = folderName.substr(kHubPrefix.size());
    const std::size_t joint = name.find(kHubJoint);
    if (joint != std::string::npos) name.replace(joint, kHubJoint.size(), "/");
    return name;
}

std::vector<fs::path> hubSnapshots(const fs::path& repository) {
    std::vector<fs::path> snapshots = entriesOf(repository / "snapshots");
    auto main = readSmallFile(nativeText(repository / "refs" / "main"), kMostReference);
    if (!main) return snapshots;
    while (!main->empty() && (main->back() == '\n' || main->back() == '\r'))
        main->pop_back();
    std::stable_partition(snapshots.begin(), snapshots.end(),
                          [&](const fs::path& path) { return nativeText(path.filename()) == *main; });
    return snapshots;
}

std::string hubSha256(const fs::path& file) {
    std::error_code fault;
    const fs::path target = fs::read_symlink(file, fault);
    return fault ? std::string() : sha256In(nativeText(target.filename()));
}

bool isBlobStore(const fs::path& folder) {
    return isKind(folder / "blobs", FileIdentity::Kind::Folder) &&
           isKind(folder / "manifests", FileIdentity::Kind::Folder);
}

std::vector<StoredModel> blobStoreModels(const fs::path& folder, std::vector<Error>& notes) {
    std::vector<StoredModel> models;
    std::vector<std::pair<fs::path, std::size_t>> open{{folder / "manifests", 0}};
    std::size_t read = 0;
    while (!open.empty() && read < kMostManifests) {
        const auto [path, depth] = std::move(open.back());
        open.pop_back();
        const auto entries = entriesOf(path);
        for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
            if (nativeText(entry->filename()).rfind('.', 0) == 0) continue;
            if (isKind(*entry, FileIdentity::Kind::Folder)) {
                if (depth < kManifestDepth) open.emplace_back(*entry, depth + 1);
            } else if (++read <= kMostManifests) {
                addManifest(*entry, folder, models, notes);
            }
        }
    }
    std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return models;
}

}  // namespace loader::app
