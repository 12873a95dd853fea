// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/gguf-loader-app/importer.h"

#include <filesystem>
#include <utility>

#include "core/app/migration/legacy_finder.h"
#include "core/app/storage/small_file.h"
#include "core/app/storage/utf8_path.h"
#include "plugins/importers/gguf-loader-app/document_reader.h"
#include "plugins/importers/gguf-loader-app/store_reader.h"

namespace loader::app {
namespace {

using namespace ggufloader;
namespace fs = std::filesystem;

constexpr std::size_t kMostLooked = 64 * 1024;

std::string whatOf(LegacyKind kind) {
    switch (kind) {
        case LegacyKind::Measurements: return "measurements of models";
        case LegacyKind::Store: return "recent files and window positions";
        case LegacyKind::PropertyList: return "window positions (not read on macOS)";
        case LegacyKind::RegistryExport: return "settings of Windows";
        default: return "settings";
    }
}

bool endsWith(const std::string& text, std::string_view ending) {
    return std::string_view(text).ends_with(ending);
}

LegacyKind kindOf(const std::string& path) {
    if (endsWith(path, ".conf") || endsWith(path, ".ini")) return LegacyKind::Store;
    if (endsWith(path, ".reg")) return LegacyKind::RegistryExport;
    if (endsWith(path, ".plist")) return LegacyKind::PropertyList;
    return LegacyKind::Settings;
}

bool isFolder(const std::string& path) {
    std::error_code fault;
    return fs::is_directory(utf8Path(path), fault);
}

/// One file that cannot be read is a line of the report, not the end of it.
Status readFile(const LegacyFile& file, Plan& plan, Paths& paths) {
    switch (file.kind) {
        case LegacyKind::Store: return readStore(file.path, plan, paths);
        case LegacyKind::RegistryExport: return readRegistryExport(file.path, plan, paths);
        case LegacyKind::PropertyList:
            plan.ignored({file.path, {}}, nullptr, "property lists of macOS are not read; set it by hand");
            return {};
        default: break;
    }
    LOADER_TRY(const JsonText text, readJsonFile(file.path));
    DocumentReader(plan, paths, file.path).read(text);
    return {};
}

Confidence confidenceOfDocument(const std::string& text) {
    const auto parsed = parseJson(text);
    if (!parsed || !parsed->document.is_object()) return Confidence::No;
    // Marked as ours: nothing older.
    if (parsed->document.contains("schema")) return Confidence::No;
    bool some = false;
    for (const auto& [key, value] : parsed->document.items()) {
        for (const std::string_view own :
             {"n_gpu_layers", "backend_configs", "ai_settings", "preferred_backend", "model_profiles",
              "use_hardware_acceleration", "fallback_order"})
            if (key == own) return Confidence::Sure;
        some = some || isTopKey(key);
    }
    return some ? Confidence::Maybe : Confidence::No;
}

}  // namespace

std::vector<Candidate> GgufLoaderApp::findCandidates(const SearchRoots& roots) const {
    std::vector<Candidate> found;
    for (const LegacyFile& file : LegacyFinder(roots).settings())
        found.push_back({file.path, whatOf(file.kind)});
    return found;
}

Confidence GgufLoaderApp::check(const std::string& path) const {
    if (isFolder(path)) {
        const SearchRoots none;
        return LegacyFinder(none).settingsIn(path).empty() ? Confidence::No : Confidence::Maybe;
    }
    const auto bytes = readSmallFile(path, kMostLooked);
    const auto text = bytes ? decodedText(*bytes) : Result<DecodedText>(bytes.error());
    if (!text) return Confidence::No;
    const auto holds = [&text](std::string_view words) {
        return text->text.find(words) != std::string::npos;
    };
    switch (kindOf(path)) {
        case LegacyKind::Store:
            return holds("button_position") || holds("recent_files") ? Confidence::Maybe : Confidence::No;
        case LegacyKind::RegistryExport:
            return holds("Software\\GGUFLoader") || holds("Software\\KiroDeveloper") ? Confidence::Sure
                                                                                     : Confidence::No;
        case LegacyKind::PropertyList: return Confidence::No;
        default: return confidenceOfDocument(text->text);
    }
}

Status GgufLoaderApp::read(const std::string& path, const SearchRoots& roots, ImportSink& sink,
                           CancelToken cancel) const {
    const LegacyFinder finder(roots);
    const bool everything = path.empty();
    const bool folder = !everything && isFolder(path);
    std::vector<LegacyFile> files;
    if (everything)
        files = finder.settings();
    else if (folder)
        files = finder.settingsIn(path);
    else
        files = {{kindOf(path), path}};
    if (files.empty()) return Error(Errc::C509, {everything ? roots.home : path});
    Plan plan;
    Paths paths(roots, m_look, m_patience);
    for (const LegacyFile& file : files) {
        LOADER_CHECK(cancel.check());
        Status status = readFile(file, plan, paths);
        // The only file: there is nothing else to report.
        if (!status && !everything && !folder) return status;
        if (!status) plan.invalid({file.path, {}}, nullptr, status.error().message());
    }
    plan.deliver(sink);
    return {};
}

}  // namespace loader::app
