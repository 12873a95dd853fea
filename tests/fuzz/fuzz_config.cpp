// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Our own settings from arbitrary bytes. The first byte chooses which of the three files they are. The
// oracle: nothing crashes, every setting has a value that can be one, a damaged file is still there byte for
// byte, and after a change is saved the file is good, has that change, and has every key that it had.

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/app/config/config_store.h"
#include "core/app/config/setting_effects.h"
#include "core/app/storage/file_steps.h"
#include "core/app/storage/small_file.h"
#include "tests/support/memory_files.h"

using namespace loader;
using namespace loader::app;

namespace {

void require(bool holds) {
    if (!holds) __builtin_trap();
}

void decodeAndParse(const std::string& bytes) {
    const auto decoded = decodedText(bytes);
    if (!decoded.ok()) {
        require(decoded.error().code() == Errc::C501);
        return;
    }
    const auto parsed = parseJson(decoded->text);
    if (!parsed.ok()) {
        require(parsed.error().code() == Errc::C501);
        return;
    }
    // What was read can be written, and is the same when it is read again.
    const std::string text = parsed->document.dump();
    const auto again = parseJson(text);
    require(again.ok() && again->document.dump() == text && again->repeated.empty());
}

/// All that a program asks of it.
void useAll(const ConfigStore& store) {
    for (const SettingSpec& setting : allSettings())
        require(checkedSetting(setting, store.get(setting.key)).ok());
    for (const ConfigFinding& finding : store.validate())
        require(!finding.sentence.empty() && !finding.remedy.empty());
    SettingLayers layers;
    layers.global = store.values();
    for (const std::string& name : store.names(SettingOwner::Kind::Preset))
        layers.preset = store.values(SettingOwner::preset(name));
    for (const std::string& name : store.names(SettingOwner::Kind::Model))
        layers.model = store.values(SettingOwner::model(name));
    const EffectiveSettings effective(layers);
    protocol::LoadRequest request = loadRequestOf(effective);
    static_cast<void>(chainPolicyOf(effective, request));
    protocol::AnswerOptions options;
    applyAnswerSettings(effective, options);
    require(options.sampling.validate().ok());
    static_cast<void>(store.exported().dump());
}

/// Every value of before, save for the one that was set, is where it was.
void requireKept(const Json& before, const Json& after, const std::string& path) {
    if (!before.is_object()) return;
    for (const auto& entry : before.items()) {
        const std::string here = path + "/" + entry.key();
        if (here == "/load" || here == "/load/threads") {
            if (entry.value().is_object() && after.contains(entry.key()))
                requireKept(entry.value(), after[entry.key()], here);
            continue;
        }
        require(after.is_object() && after.contains(entry.key()) && after[entry.key()] == entry.value());
    }
}

bool someFileIs(const test::MemoryFiles& files, const std::string& bytes) {
    for (const std::string& path : files.paths())
        if (files.get(path) == bytes) return true;
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    decodeAndParse(bytes);
    constexpr const char* kNames[] = {ConfigStore::kConfigName, ConfigStore::kPresetsName,
                                      ConfigStore::kModelsName};
    const unsigned which = data[0] % 3;
    test::MemoryFiles files;
    const std::string path = std::string("/c/") + kNames[which];
    files.put(path, bytes);
    ConfigRules rules;
    rules.patience = std::chrono::milliseconds(0);
    ConfigStore store(files, "/c", rules);
    useAll(store);
    require(someFileIs(files, bytes));
    const JsonDocument& document = which == 0   ? store.config()
                                   : which == 1 ? store.presets()
                                                : store.models();
    const Json before = document.value();
    const SettingOwner owner = which == 0   ? SettingOwner::global()
                               : which == 1 ? SettingOwner::preset("of the fuzzer")
                                            : SettingOwner::model("/m/of the fuzzer");
    require(store.set(owner, settings::kLoadThreads, 7).ok());
    const bool saved = store.save().ok();
    require(someFileIs(files, bytes));
    if (!saved) return 0;
    const ConfigStore again(files, "/c", rules);
    require(again.notices().empty());
    const SettingValues values = again.values(owner);
    require(values.find(settings::kLoadThreads) && *values.find(settings::kLoadThreads) == 7);
    if (which == 0) requireKept(before, again.config().value(), {});
    return 0;
}
