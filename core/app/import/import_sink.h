// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Where an importer puts what it finds. It never touches our storage: the sink checks each value against
// settings.inc, decides what arrives, writes the line of the report, and only a real run changes anything; so
// a dry run prints the same report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/config/setting_owner.h"
#include "core/app/import/import_report.h"

namespace loader::app {

/// A model file where it lies; it may be missing. Weights are never copied.
struct ImportedModel {
    /// Absolute.
    std::string path;
    /// What the other program calls it; empty where it has no name for it.
    std::string name;
    /// Absolute path of a projector (mmproj) that belongs to it; may be empty.
    std::string projector;
    /// Hexadecimal, where the source knows it.
    std::string sha256;
};

/// One message of a foreign conversation.
struct ImportedMessage {
    /// "system", "user", "assistant" or "tool".
    std::string role;
    /// UTF-8.
    std::string text;
    /// What a reasoning model thought first; may be empty.
    std::string reasoning;
    /// The name of the model that wrote it; may be empty.
    std::string model;
    /// Milliseconds since 1970; nothing where the source has no usable time.
    std::optional<std::int64_t> time;
    /// Index of the message before it in ImportedConversation::messages; nothing for a first one. Several
    /// messages with the same parent are branches.
    std::optional<std::size_t> parent;
};

struct ImportedConversation {
    /// Stays the same from run to run, so that a second import changes nothing: program, file, number in the
    /// file.
    std::string identity;
    std::string title;
    std::string folder;
    std::string systemPrompt;
    std::optional<std::int64_t> created;
    std::vector<ImportedMessage> messages;
};

/// A measurement that an older program made; kept for comparison, never for a decision.
struct ImportedMeasurement {
    std::string model;
    std::string backend;
    std::string hardware;
    double tokensPerSecond = 0.0;
    double loadMilliseconds = 0.0;
    double memoryMebibytes = 0.0;
    std::optional<std::int64_t> time;
};

/// @thread confined to one thread
class ImportSink {
public:
    virtual ~ImportSink() = default;

    /// A value for one of our settings. One line of the report: kept where the name of the source's key is
    /// our key or its last part and the value is the same, mapped otherwise, invalid where checkedSetting()
    /// refuses it, ignored where the user has set it already.
    /// @param original the source's value, which may differ from value (0.5 of 32 layers became 16)
    /// @param note why it is mapped as it is; may be empty
    virtual void setting(const SourceKey& source, const SettingOwner& owner, std::string_view target,
                         const Json& value, const Json& original, std::string_view note = {}) = 0;
    virtual void model(const SourceKey& source, const ImportedModel& model, std::string_view note = {}) = 0;
    virtual void conversation(const SourceKey& source, ImportedConversation conversation,
                              std::string_view note = {}) = 0;
    virtual void measurement(const SourceKey& source, const ImportedMeasurement& measurement,
                             std::string_view note = {}) = 0;
    /// A key that has nothing to set here. @param reason a plain sentence without its full stop
    virtual void ignored(const SourceKey& source, const Json& value, std::string_view reason) = 0;
    /// A key whose value cannot be meant.
    virtual void invalid(const SourceKey& source, const Json& value, std::string_view reason) = 0;
    /// A password, key or token: the report names the key, nothing shows or keeps the value.
    virtual void secret(const SourceKey& source, std::string_view reason) = 0;
};

}  // namespace loader::app
