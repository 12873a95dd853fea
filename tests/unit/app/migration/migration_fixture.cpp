// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/unit/app/migration/migration_fixture.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "plugins/importers/gguf-loader-app/importer.h"

namespace loader::test {
namespace {

namespace fs = std::filesystem;

void replaceAll(std::string& text, const std::string& what, const std::string& with) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
}

bool covers(const std::string& line, const std::string& leaf) {
    if (leaf.substr(0, line.size()) != line) return false;
    return leaf.size() == line.size() || leaf[line.size()] == '.' || leaf[line.size()] == '[';
}

}  // namespace

std::string fileBytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string MigrationFixture::dataFolder() {
    const char* source = std::getenv("LOADER_SOURCE_DIR");
    return std::string(source ? source : ".") + "/tests/data/migration";
}

std::vector<std::string> MigrationFixture::names() {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(dataFolder()))
        all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
}

MigrationFixture::MigrationFixture() {
    fs::create_directories(home() + "/.config");
    fs::create_directories(root() + "/work");
}

MigrationFixture::MigrationFixture(const std::string& name) : MigrationFixture() {
    const std::string folder = dataFolder() + "/" + name;
    fs::copy(folder + "/tree", root(), fs::copy_options::recursive);
    m_from = fileBytes(folder + "/from.txt");
    if (!m_from.empty()) m_from = root() + "/" + m_from.substr(0, m_from.find('\n'));
}

void MigrationFixture::write(const std::string& path, const std::string& bytes) const {
    const fs::path place = root() + "/" + path;
    fs::create_directories(place.parent_path());
    // A file that is emptied and written again is flushed to the disk by some file systems; a new one is not.
    fs::remove(place);
    std::ofstream(place, std::ios::binary) << bytes;
}

app::SearchRoots MigrationFixture::roots() const {
    app::SearchRoots roots;
    roots.home = home();
    roots.configHome = home() + "/.config";
    roots.dataHome = home() + "/.local/share";
    roots.cacheHome = home() + "/.cache";
    roots.working = root() + "/work";
    return roots;
}

Result<app::ImportRecorder> MigrationFixture::read(const std::string& path,
                                                   app::ImportRecorder::Present present) const {
    const std::string own = root();
    const auto look = [own](const std::string& asked) {
        return asked.substr(0, own.size()) == own ? app::ggufloader::lookAtPath(asked)
                                                  : app::ggufloader::PathState::Missing;
    };
    const app::GgufLoaderApp importer(look, std::chrono::milliseconds(0));
    app::ImportRecorder recorder(std::move(present));
    const app::SearchRoots places = roots();
    LOADER_CHECK(importer.read(path, places, recorder, {}));
    return recorder;
}

std::string MigrationFixture::shortened(std::string text) const {
    replaceAll(text, home(), "~");
    replaceAll(text, root(), ".");
    return text;
}

app::Json MigrationFixture::report(const app::ImportRecorder& recorder) const {
    return app::Json::parse(shortened(recorder.report().toJson().dump()));
}

std::map<std::string, std::string> MigrationFixture::content() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(root()))
        if (entry.is_regular_file()) all[entry.path().string()] = fileBytes(entry.path().string());
    return all;
}

std::vector<std::string> leavesOf(const app::Json& document) {
    std::vector<std::string> leaves;
    std::vector<std::pair<std::string, const app::Json*>> open = {{"", &document}};
    while (!open.empty()) {
        const auto [path, value] = open.back();
        open.pop_back();
        const bool descend =
            value->is_object() ||
            (value->is_array() && std::any_of(value->begin(), value->end(),
                                              [](const app::Json& entry) { return entry.is_structured(); }));
        if (!descend || value->empty()) {
            leaves.push_back(path);
            continue;
        }
        std::size_t index = 0;
        for (const auto& [key, entry] : value->items()) {
            const std::string name = value->is_array() ? "[" + std::to_string(index++) + "]" : key;
            // A key may be empty, so that an empty path is not always that of the document.
            const std::string dot = value == &document || value->is_array() ? "" : ".";
            open.emplace_back(path + dot + name, &entry);
        }
    }
    return leaves;
}

std::string accountOf(const std::vector<std::string>& leaves, const std::vector<app::ReportLine>& lines) {
    std::map<std::string, int> told;
    for (const app::ReportLine& line : lines)
        ++told[line.source.key];
    for (const auto& [key, count] : told)
        if (count > 1 && key != "version") return "told twice: " + key;
    for (const std::string& leaf : leaves) {
        // A record is told as a whole, a pair of numbers number by number.
        const bool known = std::any_of(told.begin(), told.end(), [&leaf](const auto& line) {
            return covers(line.first, leaf) || covers(leaf, line.first);
        });
        if (!known) return "not told: " + leaf;
    }
    for (const auto& [key, count] : told) {
        const bool real = std::any_of(leaves.begin(), leaves.end(), [&key = key](const std::string& leaf) {
            return covers(key, leaf) || covers(leaf, key);
        });
        if (!real) return "told, but not there: " + key;
    }
    return {};
}

}  // namespace loader::test
