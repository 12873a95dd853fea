// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Folders whose layout other programs fixed: what their models are called, where the files are, and which
// SHA-256 a name promises.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/engine/base/error.h"

namespace loader::app {

/// "models--ORG--NAME" is "ORG/NAME"; empty for other folders.
/// @source huggingface_hub, docs/source/en/guides/manage-cache.md
std::string hubRepository(const std::string& folderName);
/// Folders of the snapshots of such a repository, that of the branch main first.
std::vector<std::filesystem::path> hubSnapshots(const std::filesystem::path& repository);
/// What the link of a snapshot promises: LFS blobs are called by the SHA-256 of their content.
std::string hubSha256(const std::filesystem::path& file);

/// A model of a store that keeps manifests apart from blobs.
struct StoredModel {
    std::filesystem::path blob;
    /// "NAME:TAG".
    std::string name;
    std::string sha256;
};
/// Whether a folder is such a store: it has the folders `blobs` and `manifests`.
bool isBlobStore(const std::filesystem::path& folder);
/// @source ollama docs, manifest of media type application/vnd.docker.distribution.manifest.v2+json
std::vector<StoredModel> blobStoreModels(const std::filesystem::path& folder, std::vector<Error>& notes);

}  // namespace loader::app
