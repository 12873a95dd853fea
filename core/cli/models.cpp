// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf models: what the library holds, and what is added to it and taken away. A file that cannot be read is
// listed with its code.

#include "core/cli/configuration.h"
#include "core/cli/library_access.h"
#include "core/engine/base/memory_facts.h"

namespace loader::cli {
namespace {

Json placeJson(const app::PlaceState& place) {
    Json json = {{"path", place.place.path},
                 {"kind", app::nameOf(place.place.kind)},
                 {"state", app::nameOf(place.state)},
                 {"files", place.files},
                 {"notes", Json::array()}};
    for (const Error& note : place.notes)
        json["notes"].push_back(errorJson(note));
    return json;
}

Json libraryJson(const app::LibrarySnapshot& library) {
    Json document = {{"models", Json::array()}, {"folders", Json::array()}};
    for (const app::LibraryEntry& entry : library.entries)
        document["models"].push_back(entryJson(library, entry));
    document["groups"] = Json::array();
    for (const app::LibraryGroup& group : library.groups) {
        Json members = Json::array();
        for (const std::size_t index : group.entries)
            members.push_back(library.entries[index].path);
        document["groups"].push_back(
            {{"name", group.name}, {"bytes", group.bytes}, {"models", std::move(members)}});
    }
    document["places"] = Json::array();
    for (const app::PlaceState& place : library.places) {
        if (place.place.kind == app::PlaceKind::Folder) document["folders"].push_back(place.place.path);
        document["places"].push_back(placeJson(place));
    }
    document["notes"] = Json::array();
    for (const Error& note : library.notes)
        document["notes"].push_back(errorJson(note));
    document["headers_read"] = library.read;
    document["unchanged"] = library.unchanged;
    return document;
}

std::string lineOf(const app::LibraryEntry& entry, const std::string& indent) {
    std::string line = column(indent + entry.name, 40) + " " + column(sizeText(entry.bytes), 10) + " ";
    if (entry.fault) return line + std::string(entry.fault->name()) + " " + entry.fault->message();
    line += column(entry.facts.architecture, 10) + " " + column(entry.type, 8) + " " +
            column(countText(entry.facts.parameters), 9);
    if (entry.facts.trainedContext != 0) line += " " + std::to_string(entry.facts.trainedContext) + " tokens";
    if (entry.kind != app::LibraryKind::Model) line += " " + std::string(app::nameOf(entry.kind));
    if (entry.parts.size() > 1) line += ", " + std::to_string(entry.parts.size()) + " parts";
    if (!entry.projectors.empty()) line += ", with projector";
    return line;
}

void noteTrouble(Output& output, const app::LibrarySnapshot& library) {
    for (const Error& note : library.notes)
        output.note("Note: " + note.toString());
    for (const app::PlaceState& place : library.places) {
        if (place.state == app::FileState::Missing && !place.place.usual)
            output.note("Note: " + place.place.path + " is not there; what was in it is listed as missing.");
        for (const Error& note : place.notes)
            output.note("Note: " + note.toString());
    }
}

void print(Output& output, const app::LibrarySnapshot& library) {
    noteTrouble(output, library);
    if (library.entries.empty()) {
        output.note("The library is empty. Its folders are:");
        for (const app::PlaceState& place : library.places)
            output.note("  " + place.place.path);
    }
    for (const app::LibraryGroup& group : library.groups) {
        const bool several = group.entries.size() > 1;
        if (several)
            output.write(column(group.name, 40) + " " + column(sizeText(group.bytes), 10) + " " +
                         std::to_string(group.entries.size()) + " files\n");
        for (const std::size_t index : group.entries)
            output.write(lineOf(library.entries[index], several ? "  " : "") + "\n");
    }
}

/// The word behind the name of the part.
Result<std::string> operand(const Context& context, const char* what) {
    const auto operands = context.arguments.operands();
    if (operands.size() == 2) return operands[1];
    return Error(Errc::X001, {"gguf models " + operands[0] + " takes " + what + "."});
}

/// Puts a folder into the setting models.folders, or takes it out. @return whether anything changed
/// @errors those of saving the configuration
Result<bool> changeFolders(const Context& context, const std::string& folder, bool adds) {
    // The user's file, whatever --no-config says about reading it.
    app::ConfigStore& store = configuration(context).store();
    std::string path = app::ConfigStore::modelKey(folder);
    while (path.size() > 1 && (path.back() == '/' || path.back() == '\\') && path[path.size() - 2] != ':')
        path.pop_back();
    Json before = store.get(app::settings::kModelsFolders);
    Json after = Json::array();
    for (const Json& one : before) {
        if (one != path) after.push_back(one);
    }
    if (adds) after.push_back(path);
    if (after == before) return false;
    LOADER_CHECK(store.set(app::settings::kModelsFolders, after));
    LOADER_CHECK(store.save());
    return true;
}

/// Of a split set every part that is missing.
Status forget(app::ModelLibrary& library, const app::LibraryEntry* entry, const std::string& path) {
    std::size_t missing = 0;
    for (std::size_t i = 0; entry && i < entry->parts.size(); ++i) {
        if (entry->parts[i].state != app::FileState::Missing) continue;
        LOADER_CHECK(library.forget(entry->parts[i].path));
        ++missing;
    }
    return missing > 0 ? Status() : library.forget(path);
}

struct Part {
    const char* name;
    Result<int> (*run)(Context&);
};

constexpr Part kParts[] = {
    {"list", [](Context& context) { return listModels(context, false); }},
    {"refresh", [](Context& context) { return listModels(context, true); }},
    {"add", addModel},
    {"remove", removeModel},
    {"inspect", inspectLibraryModel},
    {"test", testModels},
    {"verify", verifyModels},
};

}  // namespace

Result<int> listModels(Context& context, bool again) {
    app::ModelLibrary library(libraryOptions(context));
    ProgressLine progress("Reading headers");
    LOADER_TRY(const app::LibrarySnapshot* found,
               library.refresh(
                   [&progress](std::uint64_t done, std::uint64_t total) { progress.report(done, total); },
                   context.cancel, again));
    progress.clear();
    if (context.output.json())
        context.output.writeJson(libraryJson(*found));
    else
        print(context.output, *found);
    return 0;
}

Result<int> addModel(Context& context) {
    LOADER_TRY(const std::string path, operand(context, "the path of a file or a folder"));
    LOADER_TRY(const app::FileIdentity identity, app::identify(path));
    if (identity.kind == app::FileIdentity::Kind::Folder) {
        LOADER_CHECK(changeFolders(context, path, true));
    } else {
        app::ModelLibrary library(libraryOptions(context));
        app::AddedModel added;
        added.path = path;
        added.name = context.arguments.text("name").value_or("");
        added.projector = context.arguments.text("projector").value_or("");
        added.sha256 = context.arguments.text("sha256").value_or("");
        LOADER_CHECK(library.add(added));
    }
    app::ModelLibrary library(libraryOptions(context));
    LOADER_TRY(const app::LibrarySnapshot* found, library.refresh({}, context.cancel));
    if (context.output.json())
        context.output.writeJson({{"added", path}, {"models", found->entries.size()}});
    else
        context.output.note("Added " + path + "; the library has " + std::to_string(found->entries.size()) +
                            " models. Nothing was copied.");
    return 0;
}

Result<int> removeModel(Context& context) {
    LOADER_TRY(const std::string model, operand(context, "a model, a file or a folder"));
    app::ModelLibrary library(libraryOptions(context));
    const bool deletes = context.arguments.has("delete");
    LOADER_TRY(const bool folder, deletes ? Result<bool>(false) : changeFolders(context, model, false));
    std::string path = model;
    if (!folder) {
        auto entry = library.find(model, context.cancel);
        if (entry.ok()) path = entry->path;
        if (deletes) {
            if (!entry.ok()) return entry.error();
            const bool sure = context.arguments.has("yes");
            LOADER_CHECK(library.deleteFiles(*entry, sure ? app::Consent::Anything : app::Consent::OwnOnly));
        } else {
            LOADER_CHECK(forget(library, entry.ok() ? &*entry : nullptr, path));
        }
    }
    if (context.output.json())
        context.output.writeJson({{"removed", path}, {"deleted", deletes}});
    else
        context.output.note(deletes ? "Deleted " + path + "."
                                    : "Removed " + path + " from the library; no file was touched.");
    return 0;
}

Result<int> modelsCommand(Context& context) {
    const auto operands = context.arguments.operands();
    if (operands.empty()) return listModels(context, false);
    std::string names;
    for (const Part& part : kParts) {
        if (operands.front() == part.name) return part.run(context);
        names += (names.empty() ? "" : ", ") + std::string(part.name);
    }
    return Error(Errc::X001, {"gguf models takes one of: " + names + "; not " + operands.front() + "."});
}

}  // namespace loader::cli
