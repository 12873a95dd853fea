// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One case of tests/data/migration in a folder of its own: tree/home plays the home, tree/work the folder the
// program was started in; from.txt names what is given with --from; report.json is the report.
#pragma once

#include <QTemporaryDir>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/app/import/import_recorder.h"
#include "core/app/plugin_api/importer.h"

namespace loader::test {

class MigrationFixture {
public:
    MigrationFixture();
    /// The tree of a case, copied.
    explicit MigrationFixture(const std::string& name);

    std::string root() const { return m_folder.path().toStdString(); }
    std::string home() const { return root() + "/home"; }
    void write(const std::string& path, const std::string& bytes) const;
    app::SearchRoots roots() const;
    /// Empty where the case has none.
    const std::string& from() const { return m_from; }

    /// Reads with the importer of the old program; no note of this machine's own files slips in.
    Result<app::ImportRecorder> read(const std::string& path,
                                     app::ImportRecorder::Present present = {}) const;
    /// The report with ~ and . for the folders of the case.
    app::Json report(const app::ImportRecorder& recorder) const;
    /// Every file below the root.
    std::map<std::string, std::string> content() const;

    static std::string dataFolder();
    static std::vector<std::string> names();

private:
    std::string shortened(std::string text) const;

    QTemporaryDir m_folder;
    std::string m_from;
};

/// Keys of the leaves of a JSON document, as importers name them: "a.b", "a[1].b".
std::vector<std::string> leavesOf(const app::Json& document);
/// What is wrong with a report as an account of these leaves; empty where each is told exactly once.
std::string accountOf(const std::vector<std::string>& leaves, const std::vector<app::ReportLine>& lines);
std::string fileBytes(const std::string& path);

}  // namespace loader::test
