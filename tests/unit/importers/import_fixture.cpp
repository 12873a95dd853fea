// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/unit/importers/import_fixture.h"

#include <QCryptographicHash>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/unit/importers/made_files.h"

namespace loader::test {
namespace {

namespace fs = std::filesystem;
using app::Json;

constexpr std::string_view kRootMark = "{root}";

std::string contentOf(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void writeFile(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

std::string nameOf(const app::SettingOwner& owner, std::string_view key) {
    return std::to_string(static_cast<int>(owner.kind)) + "/" + owner.name + "/" + std::string(key);
}

}  // namespace

Json MemoryTarget::present(const app::SettingOwner& owner, std::string_view key) const {
    const auto found = values.find(nameOf(owner, key));
    return found == values.end() ? Json() : found->second;
}

Result<app::ImportTarget::Count> MemoryTarget::addSettings(std::span<const app::RecordedSetting> settings) {
    Count count = 0;
    for (const app::RecordedSetting& setting : settings) {
        Json& value = values[nameOf(setting.owner, setting.key)];
        count += value == setting.value ? 0 : 1;
        value = setting.value;
    }
    return count;
}

Result<app::ImportTarget::Count> MemoryTarget::addModels(std::span<const app::ImportedModel> models) {
    Count count = 0;
    for (const app::ImportedModel& model : models)
        count += m_models.emplace(model.path, model).second ? 1 : 0;
    return count;
}

Result<app::ImportTarget::Count> MemoryTarget::addConversations(
    std::span<const app::ImportedConversation> conversations, const Progress& progress, CancelToken cancel) {
    Count count = 0;
    for (const app::ImportedConversation& conversation : conversations) {
        LOADER_CHECK(cancel.check());
        count += m_conversations.emplace(conversation.identity, conversation.messages.size()).second ? 1 : 0;
        if (progress) progress(count, conversations.size());
    }
    return count;
}

Result<app::ImportTarget::Count> MemoryTarget::addMeasurements(
    std::span<const app::ImportedMeasurement> measurements) {
    const Count count = m_measurements == measurements.size() ? 0 : measurements.size();
    m_measurements = measurements.size();
    return count;
}

Json MemoryTarget::contents() const {
    Json all = {{"settings", values}, {"models", Json::array()}, {"conversations", m_conversations}};
    for (const auto& [path, model] : m_models)
        all["models"].push_back({path, model.name, model.projector, model.sha256});
    return all;
}

ImportFixture::ImportFixture(const std::string& folder) : m_source(folderOfAll() + "/" + folder) {
    m_root = fs::canonical(m_folder.path().toStdString()).string();
    m_description = Json::parse(contentOf(m_source + "/case.json"));
    const fs::path given = m_source + "/root";
    if (fs::exists(given)) fs::copy(given, m_root, fs::copy_options::recursive);
    m_fault = makeFiles(m_root);
    // Not in the loops themselves: items() does not keep a temporary alive.
    const Json files = m_description.value("files", Json::object());
    const Json ggufs = m_description.value("ggufs", Json::object());
    const Json links = m_description.value("links", Json::object());
    for (const auto& [path, text] : files.items())
        writeFile(m_root + "/" + path, placed(text.get<std::string>()));
    for (const auto& path : m_description.value("folders", Json::array()))
        fs::create_directories(m_root + "/" + path.get<std::string>());
    // Just long enough to tell them apart by size; nobody reads further than the first bytes.
    for (const auto& [path, bytes] : ggufs.items())
        writeFile(m_root + "/" + path,
                  "GGUF" + std::string(std::max<std::size_t>(bytes.get<std::size_t>(), 4) - 4, 'x'));
    for (const auto& [path, target] : links.items()) {
        fs::create_directories(fs::path(m_root + "/" + path).parent_path());
        fs::create_symlink(placed(target.get<std::string>()), m_root + "/" + path);
    }
}

std::string ImportFixture::placed(std::string text) const {
    return replaced(std::move(text), kRootMark, m_root);
}

std::string ImportFixture::neutral(std::string text) const {
    return replaced(std::move(text), m_root, kRootMark);
}

std::string ImportFixture::importer() const {
    return fs::path(m_source).parent_path().filename().string();
}

std::string ImportFixture::path() const {
    return m_root + "/" + m_description.at("read").get<std::string>();
}

app::SearchRoots ImportFixture::roots() const {
    app::SearchRoots roots;
    roots.home = m_root + "/home";
    const std::string system = m_description.value("system", "linux");
    const bool windows = system == "windows";
    if (windows) roots.system = app::SearchRoots::System::Windows;
    if (system == "macos") roots.system = app::SearchRoots::System::MacOs;
    const bool mac = system == "macos";
    roots.configHome = roots.home + (windows ? "/AppData/Roaming"
                                     : mac   ? "/Library/Preferences"
                                             : "/.config");
    roots.dataHome = roots.home + (windows ? "/AppData/Local"
                                   : mac   ? "/Library/Application Support"
                                           : "/.local/share");
    roots.cacheHome = roots.home + (windows ? "/AppData/Local" : mac ? "/Library/Caches" : "/.cache");
    roots.working = m_root + "/" + m_description.value("working", "work");
    const Json variables = m_description.value("environment", Json::object());
    for (const auto& [name, value] : variables.items())
        roots.environment[name] = placed(value.get<std::string>());
    return roots;
}

std::map<std::string, std::string> ImportFixture::state() const {
    std::map<std::string, std::string> state;
    for (const auto& entry : fs::recursive_directory_iterator(m_root)) {
        std::string text = std::to_string(fs::symlink_status(entry).type() == fs::file_type::symlink);
        if (entry.is_symlink()) {
            text += fs::read_symlink(entry).string();
        } else {
            text += std::to_string(entry.last_write_time().time_since_epoch().count());
            const std::string content = entry.is_regular_file() ? contentOf(entry.path()) : std::string();
            text += QCryptographicHash::hash(QByteArray::fromStdString(content), QCryptographicHash::Sha256)
                        .toHex()
                        .toStdString();
        }
        state[entry.path().string()] = text;
    }
    return state;
}

std::string ImportFixture::folderOfAll() {
    const char* source = std::getenv("LOADER_SOURCE_DIR");
    return std::string(source ? source : ".") + "/tests/data/importers";
}

std::vector<std::string> ImportFixture::all() {
    std::vector<std::string> cases;
    for (const auto& entry : fs::recursive_directory_iterator(folderOfAll())) {
        if (entry.path().filename() != "case.json") continue;
        cases.push_back(fs::relative(entry.path().parent_path(), folderOfAll()).generic_string());
    }
    std::sort(cases.begin(), cases.end());
    return cases;
}

}  // namespace loader::test
