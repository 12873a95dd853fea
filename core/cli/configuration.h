// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The user's settings as commands see them: files, preset, model, options and environment together.
#pragma once

#include <memory>
#include <string>

#include "core/app/config/config_store.h"
#include "core/app/config/effective_settings.h"
#include "core/cli/context.h"

namespace loader::cli {

/// The user's files; read once for each command. @thread confined to one thread
class Configuration {
public:
    Configuration();
    app::ConfigStore& store() { return m_store; }
    app::FileOperations& files() { return *m_files; }

private:
    std::unique_ptr<app::FileOperations> m_files;
    app::ConfigStore m_store;
};

Configuration& configuration(const Context& context);

/// Everything that counts for a model. --no-config leaves out what is in files.
/// @param modelPath empty: without settings of a model
/// @errors C517, X001 --preset with --no-config
Result<app::EffectiveSettings> effectiveSettings(const Context& context, const std::string& modelPath);
/// The same for MODEL, where the command has one that can be found.
Result<app::EffectiveSettings> effectiveSettings(const Context& context);
/// Says on standard error what is wrong with the files, unless the log level is error.
void noteConfiguration(const Context& context, const std::string& modelPath);
/// --system, or the setting; empty for none.
Result<std::string> systemPrompt(const Context& context);

}  // namespace loader::cli
