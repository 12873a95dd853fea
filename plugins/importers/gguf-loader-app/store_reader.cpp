// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/gguf-loader-app/store_reader.h"

#include <array>
#include <set>
#include <utility>

#include "core/app/storage/ini_text.h"
#include "core/app/storage/registry_text.h"
#include "core/app/storage/small_file.h"
#include "plugins/importers/gguf-loader-app/document_reader.h"

namespace loader::app::ggufloader {
namespace {

/// The keys below which QSettings of the old programs keeps its values.
constexpr std::array<std::string_view, 2> kRegistryKeys = {
    "HKEY_CURRENT_USER\\Software\\GGUFLoader\\FloatingChat",
    "HKEY_CURRENT_USER\\Software\\KiroDeveloper\\LLM Toolkit"};

std::string opaqueReason(const std::string& form) {
    return "it is a serialised object (@" + form + "), which is never unpacked";
}

/// "file_dialog/recent_files" of a value below one of those keys; its whole name otherwise.
std::string storedName(const RegistryValue& value) {
    for (const std::string_view root : kRegistryKeys) {
        const std::string_view key = value.key;
        if (key.substr(0, root.size()) != root) continue;
        if (key.size() == root.size()) return value.name;
        if (key[root.size()] != '\\') continue;
        std::string name(key.substr(root.size() + 1));
        for (char& c : name)
            c = c == '\\' ? '/' : c;
        return name + "/" + value.name;
    }
    return value.key + "\\" + value.name;
}

void readOne(DocumentReader& reader, Plan& plan, const std::string& file, const std::string& key,
             const IniValue& value) {
    if (value.kind != IniValue::Kind::Opaque) return reader.readStored(key, value.value);
    plan.ignored({file, key}, nullptr, opaqueReason(value.form));
}

}  // namespace

Status readStore(const std::string& path, Plan& plan, Paths& paths) {
    LOADER_TRY(const IniText ini, readIniFile(path));
    DocumentReader reader(plan, paths, path);
    for (const IniEntry& entry : ini.entries) {
        if (entry.superseded)
            plan.ignored({path, entry.path()}, nullptr, "it stands more than once; the last one counts");
        else
            readOne(reader, plan, path, entry.path(), valueOf(entry));
    }
    for (const IniFault& fault : ini.faults)
        plan.invalid({path, "line " + std::to_string(fault.line)}, nullptr,
                     "the line cannot be understood: " + fault.what);
    return {};
}

Status readRegistryExport(const std::string& path, Plan& plan, Paths& paths) {
    LOADER_TRY(std::string bytes, readSmallFile(path));
    auto decoded = decodedText(std::move(bytes));
    auto parsed = decoded ? parseRegistryText(decoded->text) : Result<RegistryText>(decoded.error());
    if (!parsed) return std::move(parsed).error().within(path);
    DocumentReader reader(plan, paths, path);
    std::set<std::string> seen;
    for (const RegistryValue& value : parsed->values) {
        const std::string key = storedName(value);
        const Json content = valueOf(value);
        if (!seen.insert(key).second)
            plan.ignored({path, key}, nullptr, "it stands more than once; the first one counts");
        else if (content.is_string())
            readOne(reader, plan, path, key, iniValueOf(content.get<std::string>()));
        else
            reader.readStored(key, content);
    }
    for (const std::size_t line : parsed->faults)
        plan.invalid({path, "line " + std::to_string(line)}, nullptr, "the line cannot be understood");
    return {};
}

}  // namespace loader::app::ggufloader
