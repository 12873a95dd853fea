// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which importers there are: plugins of one folder, whose JSON metadata is read without loading them. One
// that cannot be used stays in the list with the reason; the others work.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/app/plugin_api/importer.h"

namespace loader::app {

struct ImporterFacts {
    std::string id;
    std::string displayName;
    std::string path;
    /// Why it cannot be used; empty where it can.
    std::string refusal;
};

/// Something of this machine that can be imported.
struct FoundCandidate {
    std::string importer;
    std::string displayName;
    Candidate candidate;
};

/// @thread confined to one thread; the importers live as long as the registry
class ImporterRegistry {
public:
    /// Looks through a folder; a missing one holds nothing.
    explicit ImporterRegistry(const std::string& folder);
    ~ImporterRegistry();
    ImporterRegistry(const ImporterRegistry&) = delete;
    ImporterRegistry& operator=(const ImporterRegistry&) = delete;

    /// ../lib/gguf-loader/importers beside the program.
    static std::string defaultFolder();

    /// An importer that is linked in: tests, and programs without plugins. One of the same id gives way.
    void add(std::unique_ptr<Importer> importer);

    std::span<const ImporterFacts> importers() const { return m_facts; }
    /// Loads it on first use. @errors C513 not known, or not usable; the place then says why
    Result<const Importer*> open(const std::string& id);
    /// "hugging-face, koboldcpp" of the usable ones.
    std::string knownIds() const;

    /// Asks every usable importer. @errors X002
    Result<std::vector<FoundCandidate>> findAll(const SearchRoots& roots, CancelToken cancel);
    /// The one that is surest of a file or folder. @errors C514 none is
    Result<const Importer*> recognise(const std::string& path);

private:
    struct Slot;
    void addPlugin(const std::string& path);
    /// Null where it cannot be used; its facts then say why.
    const Importer* load(std::size_t index);

    std::vector<ImporterFacts> m_facts;
    std::vector<std::unique_ptr<Slot>> m_slots;  // parallel to m_facts
};

}  // namespace loader::app
