// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One case of tests/data/importers/<importer>/<case>: case.json, the folder root that plays the machine, and
// expected.json. docs/howto/add-importer.md describes the form.
#pragma once

#include <QTemporaryDir>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/app/import/import_run.h"
#include "core/app/plugin_api/importer.h"

namespace loader::test {

/// Keeps what arrives in maps, as a user's storage would.
class MemoryTarget final : public app::ImportTarget {
public:
    app::Json present(const app::SettingOwner& owner, std::string_view key) const override;
    Result<Count> addSettings(std::span<const app::RecordedSetting> settings) override;
    Result<Count> addModels(std::span<const app::ImportedModel> models) override;
    Result<Count> addConversations(std::span<const app::ImportedConversation> conversations,
                                   const Progress& progress, CancelToken cancel) override;
    Result<Count> addMeasurements(std::span<const app::ImportedMeasurement> measurements) override;

    /// All of it, to compare two states.
    app::Json contents() const;
    std::map<std::string, app::Json> values;  // "kind/name/key"

private:
    std::map<std::string, app::ImportedModel> m_models;
    std::map<std::string, std::size_t> m_conversations;
    std::size_t m_measurements = 0;
};

/// Copies a case into a folder of its own and adds what git cannot hold: links, and files that begin as GGUF.
class ImportFixture {
public:
    explicit ImportFixture(const std::string& folder);

    const app::Json& description() const { return m_description; }
    std::string importer() const;
    app::SearchRoots roots() const;
    std::string path() const;
    std::string root() const { return m_root; }
    /// What of its files could not be made; empty where all is well.
    const std::string& fault() const { return m_fault; }
    /// The same text with the folder's own path as {root}.
    std::string neutral(std::string text) const;
    /// Of every file: content, time and where links lead.
    std::map<std::string, std::string> state() const;

    /// All cases of the repository: "koboldcpp/old-names".
    static std::vector<std::string> all();
    static std::string folderOfAll();

private:
    std::string placed(std::string text) const;

    QTemporaryDir m_folder;
    std::string m_source;
    std::string m_root;
    std::string m_fault;
    app::Json m_description;
};

}  // namespace loader::test
