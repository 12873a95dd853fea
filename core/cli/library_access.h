// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The library as the command line uses it: its places, its files, and what commands print of it.
#pragma once

#include <string>
#include <vector>

#include "core/app/config/effective_settings.h"
#include "core/app/library/model_library.h"
#include "core/app/models/settings_check.h"
#include "core/cli/context.h"

namespace loader::cli {

/// Where the built-in model is: ../share/gguf-loader/guide.gguf beside the program.
std::string guidePath();
/// The folder of this application's data: index, book, chats.
std::string dataFolder();
/// As --no-config says.
app::LibraryOptions libraryOptions(const Context& context);
/// Folders of the user, for whoever wants to know their disks.
std::vector<std::string> modelFolders(const Context& context);

/// MODEL of a command that loads it. @errors F802, D310, D313, C518, X002
Result<std::string> resolveModel(const Context& context, const std::string& model);

Json entryJson(const app::LibrarySnapshot& library, const app::LibraryEntry& entry);
/// "1.2 G", "350.0 M", "4.0 k".
std::string countText(std::uint64_t count);
/// Filled up with spaces. Not printf's width: that counts bytes, and a name may have letters of several.
std::string column(const std::string& text, std::size_t width);

/// What this machine is, for the check of settings. Asks back ends, or takes what they said before.
Result<app::CheckedMachine> checkedMachine(CancelToken cancel);
/// Every effective value by its key.
app::CheckedValues valuesOf(const app::EffectiveSettings& settings);
Json findingJson(const app::SettingFinding& finding);

// The parts of `gguf models`, one file each.
Result<int> listModels(Context& context, bool again);
Result<int> addModel(Context& context);
Result<int> removeModel(Context& context);
Result<int> inspectLibraryModel(Context& context);
Result<int> testModels(Context& context);
Result<int> verifyModels(Context& context);

}  // namespace loader::cli
