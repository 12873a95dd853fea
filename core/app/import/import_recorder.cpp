// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/import/import_recorder.h"

#include <algorithm>
#include <utility>

namespace loader::app {
namespace {

std::string targetText(const SettingOwner& owner, std::string_view key) {
    switch (owner.kind) {
        case SettingOwner::Kind::Global: return std::string(key);
        case SettingOwner::Kind::Preset: return std::string(key) + " of preset " + owner.name;
        case SettingOwner::Kind::Model: return std::string(key) + " of " + owner.name;
    }
    return {};
}

bool sameOwner(const SettingOwner& a, const SettingOwner& b) {
    return a.kind == b.kind && a.name == b.name;
}

/// "load.context" and "context" are names of load.context, "top_k" is one of sampling.top_k.
bool sameName(std::string_view sourceKey, std::string_view target) {
    const auto last = [](std::string_view key) { return key.substr(key.rfind('.') + 1); };
    return sourceKey == target || last(sourceKey) == last(target);
}

}  // namespace

void ImportRecorder::add(const SourceKey& source, ImportVerdict verdict, std::string target, Json value,
                         std::string_view reason) {
    m_report.lines.push_back({source, verdict, std::move(target), std::move(value), std::string(reason)});
}

Json ImportRecorder::recorded(const SettingOwner& owner, std::string_view key) const {
    const auto found =
        std::find_if(m_settings.rbegin(), m_settings.rend(), [&](const RecordedSetting& setting) {
            return setting.key == key && sameOwner(setting.owner, owner);
        });
    return found == m_settings.rend() ? Json() : found->value;
}

void ImportRecorder::setting(const SourceKey& source, const SettingOwner& owner, std::string_view target,
                             const Json& value, const Json& original, std::string_view note) {
    const SettingSpec* spec = findSetting(target);
    if (!spec) return invalid(source, original, Error(Errc::C504, {std::string(target)}).message());
    if (owner.kind != SettingOwner::Kind::Global && spec->reach == SettingReach::Application)
        return ignored(source, original, "This setting applies to the whole program.");
    auto checked = checkedSetting(*spec, value);
    if (!checked) return invalid(source, original, checked.error().message());
    const std::string text = targetText(owner, target);
    const Json present = m_present ? m_present(owner, target) : Json();
    if (!present.is_null() && present != *checked && !m_overwrite)
        return add(source, ImportVerdict::Ignored, text, original,
                   "You have set this to " + present.dump() + ".");
    const bool same = sameName(source.key, target) && *checked == original;
    if (present != *checked && recorded(owner, target) != *checked)
        m_settings.push_back({owner, std::string(target), *checked});
    add(source, same ? ImportVerdict::Kept : ImportVerdict::Mapped, text, std::move(*checked), note);
}

void ImportRecorder::model(const SourceKey& source, const ImportedModel& model, std::string_view note) {
    add(source, ImportVerdict::Kept, "model", model.path, note);
    m_models.push_back(model);
}

void ImportRecorder::conversation(const SourceKey& source, ImportedConversation conversation,
                                  std::string_view note) {
    add(source, ImportVerdict::Kept, "chat", conversation.title, note);
    m_conversations.push_back(std::move(conversation));
}

void ImportRecorder::measurement(const SourceKey& source, const ImportedMeasurement& measurement,
                                 std::string_view note) {
    add(source, ImportVerdict::Kept, "measurement", measurement.tokensPerSecond, note);
    m_measurements.push_back(measurement);
}

void ImportRecorder::ignored(const SourceKey& source, const Json& value, std::string_view reason) {
    add(source, ImportVerdict::Ignored, {}, value, reason);
}

void ImportRecorder::invalid(const SourceKey& source, const Json& value, std::string_view reason) {
    add(source, ImportVerdict::Invalid, {}, value, reason);
}

void ImportRecorder::secret(const SourceKey& source, std::string_view reason) {
    add(source, ImportVerdict::Ignored, {}, nullptr, reason);
}

}  // namespace loader::app
