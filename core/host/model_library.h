// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Finds models by name: a path, `guide` for the built-in model, or a file in one of the library's folders.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/gguf/model_file.h"

namespace loader::host {

/// What a list of models shows of one file; a file that cannot be read has only its fault.
struct ModelSummary {
    std::string name;
    std::string path;
    std::uint64_t fileBytes = 0;
    std::string architecture;
    /// The tensor type that holds most values, and all types with their share of the bytes.
    std::string mainType;
    std::vector<std::pair<std::string, std::uint64_t>> typeBytes;
    std::uint64_t parameters = 0;
    std::optional<Error> fault;
};

ModelSummary summarise(const gguf::ModelFile& file, const std::string& name, const std::string& path);

/// @thread confined to one thread
class ModelLibrary {
public:
    /// The user's folder, then those of the variable GGUF_LOADER_MODELS (separated like PATH).
    static std::vector<std::string> defaultFolders();
    /// Where the built-in model is: ../share/gguf-loader/guide.gguf beside the program.
    static std::string guidePath();

    explicit ModelLibrary(std::vector<std::string> folders) : m_folders(std::move(folders)) {}

    /// The path of MODEL. @errors F802 no such model; the place names it
    Result<std::string> resolve(const std::string& model) const;
    /// Every .gguf file of the folders, and the built-in model first; of a split set only the first part.
    std::vector<ModelSummary> list() const;
    const std::vector<std::string>& folders() const { return m_folders; }

private:
    std::vector<std::string> m_folders;
};

}  // namespace loader::host
