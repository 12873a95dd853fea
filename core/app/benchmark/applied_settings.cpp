// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/applied_settings.h"

#include <filesystem>

#include "core/app/benchmark/json_fields.h"
#include "core/app/config/setting_list.h"
#include "core/engine/base/atomic_file.h"

namespace loader::app {
namespace {

constexpr JsonLimits kLimits{8, 100'000};
constexpr std::uint32_t kSchema = 1;

Json orNull(const std::optional<Json>& value) {
    return value ? *value : Json(nullptr);
}

/// What is remembered of a model; an empty object where nothing is.
Json remembered(const Json& document, const std::string& model) {
    const auto models = document.find("models");
    const auto entry = models->find(model);
    return entry == models->end() ? Json::object() : *entry;
}

bool isEntry(const Json& entry) {
    if (!entry.is_object()) return false;
    for (const auto& [key, change] : entry.items()) {
        if (!change.is_object() || !change.contains("before") || !change.contains("after")) return false;
        const SettingSpec* setting = findSetting(key);
        const auto usable = [setting](const Json& value) {
            return value.is_null() || checkedSetting(*setting, value).ok();
        };
        if (!setting || !usable(change["before"]) || !usable(change["after"])) return false;
    }
    return true;
}

/// Nothing need be written for it.
bool isDefault(const Proposal& proposal) {
    const SettingSpec* setting = findSetting(proposal.key);
    return setting && setting->defaultValue() == proposal.value;
}

Status restore(ModelSettings& settings, const SettingChange& change) {
    if (change.after.is_null()) return settings.reset(change.key);
    return settings.set(change.key, change.after);
}

}  // namespace

Result<Json> AppliedSettings::read() const {
    auto json = readJsonFile(m_path, kLimits);
    if (!json.ok() && json.error().code() == Errc::F802)
        return Json{{"schema", kSchema}, {"models", Json::object()}};
    if (!json.ok()) return std::move(json).error();
    JsonFields fields(json->document, "applied");
    const std::uint64_t schema = fields.count("schema");
    const Json& models = fields.object("models");
    if (!fields.status().ok()) return Error(Errc::C501, fields.status().error().args(), m_path);
    if (schema > kSchema) return Error(Errc::D302, {std::to_string(schema), std::to_string(kSchema)}, m_path);
    for (const auto& [model, entry] : models.items()) {
        if (!isEntry(entry)) return Error(Errc::C501, {"what it remembers is not usable"}, m_path);
    }
    return std::move(json->document);
}

Status AppliedSettings::write(const Json& document) const {
    const std::string text = document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    std::error_code fault;
    std::filesystem::create_directories(std::filesystem::u8path(m_path).parent_path(), fault);
    if (fault) return Error(Errc::F806, {fault.message()}, m_path);
    LOADER_TRY(const auto file, AtomicFile::create(m_path));
    LOADER_CHECK(file->append(std::as_bytes(std::span(text))));
    return file->commit();
}

Result<std::vector<SettingChange>> AppliedSettings::apply(const std::vector<Proposal>& proposals,
                                                          ModelSettings& settings) const {
    LOADER_TRY(Json document, read());
    Json entry = remembered(document, settings.name());
    std::vector<SettingChange> changes;
    for (const Proposal& proposal : proposals) {
        const Json before = orNull(settings.get(proposal.key));
        if (before.is_null() && isDefault(proposal)) continue;
        LOADER_CHECK(settings.set(proposal.key, proposal.value));
        const Json after = orNull(settings.get(proposal.key));
        changes.push_back({proposal.key, before, after, false});
        const auto known = entry.find(proposal.key);
        const bool ours = known != entry.end() && (*known)["after"] == before;
        Json first = ours ? Json((*known)["before"]) : before;
        entry[proposal.key] = {{"before", std::move(first)}, {"after", after}};
    }
    if (changes.empty()) return changes;
    document["models"][settings.name()] = std::move(entry);
    LOADER_CHECK(write(document));
    LOADER_CHECK(settings.save());
    return changes;
}

Result<std::vector<SettingChange>> AppliedSettings::revert(ModelSettings& settings) const {
    LOADER_TRY(Json document, read());
    const Json entry = remembered(document, settings.name());
    if (entry.empty())
        return Error(Errc::X001,
                     {"No settings were applied to this model, so there is nothing to take back."},
                     settings.name());
    std::vector<SettingChange> changes;
    for (const auto& [key, known] : entry.items()) {
        const Json now = orNull(settings.get(key));
        SettingChange change{key, now, known["before"], now != known["after"]};
        if (!change.leftAlone) LOADER_CHECK(restore(settings, change));
        changes.push_back(std::move(change));
    }
    LOADER_CHECK(settings.save());
    document["models"].erase(settings.name());
    LOADER_CHECK(write(document));
    return changes;
}

Json changesJson(const std::vector<SettingChange>& changes) {
    Json list = Json::array();
    for (const SettingChange& change : changes)
        list.push_back({{"setting", change.key},
                        {"before", change.before},
                        {"after", change.leftAlone ? change.before : change.after},
                        {"left_alone", change.leftAlone}});
    return list;
}

}  // namespace loader::app
