// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Settings of the old program, of whatever form. The oracle: every top key that is read is told, whatever
// arrives is a value of its setting, and no secret is in the report.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "core/app/import/import_recorder.h"
#include "core/app/storage/json_text.h"
#include "core/app/storage/small_file.h"
#include "plugins/importers/gguf-loader-app/document_reader.h"

using namespace loader;
using namespace loader::app::ggufloader;

namespace {

void require(bool holds) {
    if (!holds) __builtin_trap();
}

PathState noDisk(const std::string& path) {
    return path.size() % 3 == 0 ? PathState::File : PathState::Missing;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto text = app::decodedText(std::string(reinterpret_cast<const char*>(data), size));
    if (!text) return 0;
    const auto document = app::parseJson(text->text);
    if (!document) return 0;
    app::SearchRoots roots;
    roots.home = "/home/somebody";
    Plan plan;
    Paths paths(roots, noDisk, std::chrono::milliseconds(0));
    DocumentReader(plan, paths, "/home/somebody/.gguf-loader/config.json").read(*document);
    app::ImportRecorder recorder;
    plan.deliver(recorder);
    for (const app::RecordedSetting& setting : recorder.settings()) {
        const app::SettingSpec* spec = app::findSetting(setting.key);
        require(spec && app::checkedSetting(*spec, setting.value).ok());
    }
    static_cast<void>(recorder.report().toJson().dump(-1, ' ', false, app::Json::error_handler_t::replace));
    if (!document->document.is_object()) return 0;
    std::set<std::string> told;
    for (const app::ReportLine& line : recorder.report().lines)
        told.insert(line.source.key);
    for (const auto& [key, value] : document->document.items()) {
        const auto at = told.lower_bound(key);
        require(at != told.end() && at->substr(0, key.size()) == key);
    }
    return 0;
}
