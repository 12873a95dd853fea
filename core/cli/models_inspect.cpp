// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf models inspect: what a file holds and lacks, what each back end says to it, and whether the load
// options suit it and this machine. Everything is read in sandboxed workers.

#include "core/app/library/file_names.h"
#include "core/app/library/model_inspection.h"
#include "core/app/models/estimator.h"
#include "core/app/storage/json_text.h"
#include "core/cli/configuration.h"
#include "core/cli/library_access.h"
#include "core/engine/base/memory_facts.h"
#include "core/engine/base/utf8.h"

namespace loader::cli {
namespace {

/// The worker's text of a value; what is no JSON stays a text.
Json valueOf(const protocol::MetadataEntry& entry) {
    auto parsed = app::parseJson(entry.json);
    Json value = parsed.ok() ? std::move(parsed->document) : Json(entry.json);
    if (!entry.cut) return value;
    return {{"type", entry.type}, {"length", entry.count}, {"begins", std::move(value)}};
}

Json shapeJson(const protocol::TensorEntry& tensor) {
    return {{"name", tensor.name},   {"type", tensor.type},     {"shape", tensor.shape},
            {"bytes", tensor.bytes}, {"offset", tensor.offset}, {"part", tensor.part}};
}

Json backendsJson(const app::ModelInspection& model) {
    Json list = Json::array();
    for (const app::BackendOpinion& opinion : model.backends)
        list.push_back({{"id", opinion.id},
                        {"name", opinion.name},
                        {"supported", opinion.supported},
                        {"reasons", opinion.reasons}});
    return list;
}

Json integrityJson(const std::optional<app::LibraryEntry>& entry) {
    if (!entry || entry->sha256.empty()) return {{"sha256", nullptr}, {"source", nullptr}};
    return {{"sha256", entry->sha256},
            {"source", "the store that holds the file; gguf models verify compares it"}};
}

Json inspectionJson(const std::string& path, const app::ModelInspection& model,
                    const std::optional<app::LibraryEntry>& entry, bool tensors) {
    const protocol::FileDetails& details = model.details;
    const protocol::IndexFacts& summary = details.summary;
    Json json = {{"path", path},
                 {"version", summary.version},
                 {"bytes", details.fileBytes},
                 {"architecture", summary.architecture},
                 {"name", summary.name},
                 {"parameters", summary.parameters},
                 {"tensor_count", summary.tensors},
                 {"side_file", summary.sideFile.empty() ? Json(nullptr) : Json(summary.sideFile)},
                 {"chat_template", summary.hasTemplate},
                 {"words", summary.words},
                 {"context", summary.trainedContext},
                 {"layers", summary.layers}};
    json["types"] = Json::array();
    for (const protocol::TypeShare& share : summary.types)
        json["types"].push_back({{"type", share.type}, {"bytes", share.bytes}, {"values", share.values}});
    json["missing"] = Json::array();
    for (const protocol::MissingKey& key : details.missing)
        json["missing"].push_back({{"key", key.key}, {"needed", key.needed}, {"effect", key.effect}});
    json["warnings"] = Json::array();
    for (const Error& warning : details.warnings)
        json["warnings"].push_back(errorJson(warning));
    json["refusal"] = details.refusal.empty() ? Json(nullptr) : errorJson(details.refusal.front());
    json["backends"] = backendsJson(model);
    json["integrity"] = integrityJson(entry);
    json["parts"] = Json::array();
    json["projectors"] = entry ? Json(entry->projectors) : Json::array();
    if (entry) {
        for (const app::LibraryPart& part : entry->parts)
            json["parts"].push_back(
                {{"path", part.path}, {"bytes", part.bytes}, {"state", app::nameOf(part.state)}});
    }
    json["metadata"] = Json::object();
    for (const protocol::MetadataEntry& value : details.metadata)
        json["metadata"][value.key] = valueOf(value);
    if (!tensors) return json;
    json["tensors"] = Json::array();
    for (const protocol::TensorEntry& tensor : details.tensors)
        json["tensors"].push_back(shapeJson(tensor));
    return json;
}

/// Templates and lists in full are for --json.
std::string shortText(const protocol::MetadataEntry& entry) {
    constexpr std::size_t kShown = 240;
    const bool longer = entry.json.size() > kShown;
    const std::string_view text(entry.json);
    const std::string_view shown =
        longer ? text.substr(0, utf8::completePrefix(text.substr(0, kShown))) : text;
    return std::string(shown) + (longer || entry.cut ? " ..." : "");
}

std::string shapeText(const protocol::TensorEntry& tensor) {
    std::string text;
    for (const std::uint64_t dimension : tensor.shape)
        text += (text.empty() ? "" : " x ") + std::to_string(dimension);
    return text;
}

void say(Output& output, const std::string& label, const std::string& text) {
    output.write(column(label + ":", 15) + text + "\n");
}

void printSummary(Output& output, const Json& json, const app::ModelInspection& model) {
    const protocol::IndexFacts& summary = model.details.summary;
    say(output, "File", json["path"].get<std::string>());
    say(output, "Name", summary.name.empty() ? "(none)" : summary.name);
    say(output, "Format", "GGUF version " + std::to_string(summary.version));
    const std::size_t parts = json["parts"].size();
    say(output, "Size",
        sizeText(model.details.fileBytes) + (parts > 1 ? " in " + std::to_string(parts) + " parts" : ""));
    if (!summary.sideFile.empty()) say(output, "Side file", "this is " + summary.sideFile + ", not a model");
    say(output, "Architecture", summary.architecture + (summary.known ? "" : " (not known to this version)"));
    say(output, "Parameters",
        countText(summary.parameters) + " in " + std::to_string(summary.tensors) + " tensors");
    for (const protocol::TypeShare& share : summary.types)
        say(output, "  " + share.type, sizeText(share.bytes));
    say(output, "Context", std::to_string(summary.trainedContext) + " tokens as trained");
    say(output, "Chat template", summary.hasTemplate ? "yes" : "no");
    for (const Json& projector : json["projectors"])
        say(output, "Projector", projector.get<std::string>());
    if (json["integrity"]["sha256"].is_string())
        say(output, "SHA-256", json["integrity"]["sha256"].get<std::string>() + " promised by its store");
    for (const protocol::MissingKey& key : model.details.missing)
        say(output, key.needed ? "Missing" : "Absent", key.key + ". " + key.effect);
    for (const Error& warning : model.details.warnings)
        say(output, "Warning", warning.toString());
    if (!model.details.refusal.empty()) say(output, "Unusable", model.details.refusal.front().toString());
    for (const app::BackendOpinion& opinion : model.backends)
        say(output, "Back end",
            opinion.id + ": " +
                (opinion.supported         ? "can run it"
                 : opinion.reasons.empty() ? "cannot run it"
                                           : opinion.reasons.front()));
}

void print(Output& output, const Json& json, const app::ModelInspection& model, bool tensors) {
    printSummary(output, json, model);
    if (json.contains("findings")) {
        for (const Json& finding : json["findings"])
            say(output, finding["severity"].get<std::string>(),
                finding["key"].get<std::string>() + " " + finding["value"].get<std::string>() + ": " +
                    finding["sentence"].get<std::string>() + " " + finding["remedy"].get<std::string>());
    }
    output.write("\nMetadata:\n");
    for (const protocol::MetadataEntry& entry : model.details.metadata)
        output.write("  " + entry.key + " (" + entry.type +
                     (entry.count > 1 ? ", " + std::to_string(entry.count) : "") + ") = " + shortText(entry) +
                     "\n");
    if (!tensors) return;
    output.write("\nTensors:\n");
    for (const protocol::TensorEntry& tensor : model.details.tensors)
        output.write("  " + tensor.name + "  " + tensor.type + "  " + shapeText(tensor) + "  " +
                     sizeText(tensor.bytes) + "\n");
}

}  // namespace

Result<int> inspectLibraryModel(Context& context) {
    const auto operands = context.arguments.operands();
    if (operands.size() != 2) return Error(Errc::X001, {"gguf models inspect takes a model."});
    app::ModelLibrary library(libraryOptions(context));
    LOADER_TRY(const std::string path, library.resolve(operands[1], context.cancel));
    // A file outside the library is no fault: then its neighbours are not known.
    std::optional<app::LibraryEntry> entry;
    if (auto found = library.find(path, context.cancel); found.ok()) entry = std::move(found).value();
    const std::string architecture = context.arguments.text("architecture").value_or("");
    LOADER_TRY(const app::ModelInspection model,
               app::inspectModel(path, architecture, workerOptions(), context.cancel));
    Json json = inspectionJson(path, model, entry, context.arguments.has("tensors"));
    if (model.facts) {
        LOADER_TRY(const app::EffectiveSettings settings, effectiveSettings(context, path));
        LOADER_TRY(const app::CheckedMachine machine, checkedMachine(context.cancel));
        json["findings"] = Json::array();
        for (const app::SettingFinding& finding :
             app::checkSettings(valuesOf(settings), *model.facts, machine))
            json["findings"].push_back(findingJson(finding));
    }
    if (context.output.json())
        context.output.writeJson(json);
    else
        print(context.output, json, model, context.arguments.has("tensors"));
    return 0;
}

}  // namespace loader::cli
