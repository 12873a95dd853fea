// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A sink that keeps everything it is given and changes nothing: a dry run, the first half of a real one, and
// what tests of importers look at.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/app/import/import_sink.h"

namespace loader::app {

/// A value that is to arrive.
struct RecordedSetting {
    SettingOwner owner;
    std::string key;
    Json value;
};

/// @thread confined to one thread
class ImportRecorder final : public ImportSink {
public:
    /// The value that the user has set for this owner; null where there is none.
    using Present = std::function<Json(const SettingOwner&, std::string_view key)>;

    /// @param overwrite what the user has set gives way
    explicit ImportRecorder(Present present = {}, bool overwrite = false)
        : m_present(std::move(present)), m_overwrite(overwrite) {}

    void setting(const SourceKey& source, const SettingOwner& owner, std::string_view target,
                 const Json& value, const Json& original, std::string_view note) override;
    void model(const SourceKey& source, const ImportedModel& model, std::string_view note) override;
    void conversation(const SourceKey& source, ImportedConversation conversation,
                      std::string_view note) override;
    void measurement(const SourceKey& source, const ImportedMeasurement& measurement,
                     std::string_view note) override;
    void ignored(const SourceKey& source, const Json& value, std::string_view reason) override;
    void invalid(const SourceKey& source, const Json& value, std::string_view reason) override;
    void secret(const SourceKey& source, std::string_view reason) override;

    const ImportReport& report() const { return m_report; }
    /// In the order in which they came; what is the same already is left out.
    const std::vector<RecordedSetting>& settings() const { return m_settings; }
    const std::vector<ImportedModel>& models() const { return m_models; }
    const std::vector<ImportedConversation>& conversations() const { return m_conversations; }
    const std::vector<ImportedMeasurement>& measurements() const { return m_measurements; }

private:
    void add(const SourceKey& source, ImportVerdict verdict, std::string target, Json value,
             std::string_view reason);
    /// The value that came earlier in this run for the same owner and key; null where there is none.
    Json recorded(const SettingOwner& owner, std::string_view key) const;

    Present m_present;
    bool m_overwrite;
    ImportReport m_report;
    std::vector<RecordedSetting> m_settings;
    std::vector<ImportedModel> m_models;
    std::vector<ImportedConversation> m_conversations;
    std::vector<ImportedMeasurement> m_measurements;
};

}  // namespace loader::app
