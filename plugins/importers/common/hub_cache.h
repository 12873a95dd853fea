// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The cache of the Hugging Face hub as it lies on the disk: models--ORG--NAME with refs, snapshots of links,
// and blobs. Newer llama.cpp keeps its downloads in it too.
// @source huggingface_hub constants.py and file_download.py; llama.cpp common/hf-cache.cpp
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

/// Places where such a cache may be, in the order in which the programs look; not all of them exist.
std::vector<std::string> hubFolders(const app::SearchRoots& roots);

/// A .gguf file of one repository, or why it is none.
struct HubFile {
    /// Below the cache folder, with /.
    std::string relative;
    /// Absolute, through the snapshot, so that it has its name.
    std::string path;
    /// Absolute; empty where none.
    std::string projector;
    /// Hexadecimal; known where the blob is named by it.
    std::string sha256;
    std::string note;
    /// Not empty: not usable, with the reason.
    std::string fault;
};

struct HubRepository {
    /// "ORG/NAME".
    std::string id;
    /// Below the cache folder.
    std::string folder;
    std::vector<HubFile> files;
    /// Names of files that are no .gguf, of the newest snapshot.
    std::size_t otherFiles = 0;
};

/// Reads names, links and the small files in refs; of a .gguf its first bytes.
/// @param id "ORG/NAME" @return no files where there is no such repository
HubRepository readHubRepository(const std::string& cache, const std::string& id);
/// All of them, sorted.
std::vector<std::string> hubRepositories(const std::string& cache);

/// The model that ORG/NAME or ORG/NAME:QUANT means: the named type, else the one that auto chooses (Q4, Q5,
/// Q8, others). @return its path; empty where the caches have none
std::string modelInHub(const app::SearchRoots& roots, std::string_view reference,
                       std::string_view fileName = {});
/// The best of all repositories by the same order; of equals the first by name.
std::string anyModelInHub(const app::SearchRoots& roots);

}  // namespace loader::importers
