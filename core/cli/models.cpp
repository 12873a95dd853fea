// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf models: what the library holds. A file that cannot be read is listed with its code.

#include <cstdio>

#include "core/cli/context.h"
#include "core/engine/base/memory_facts.h"

namespace loader::cli {
namespace {

Json modelJson(const host::ModelSummary& model) {
    Json json = {{"name", model.name}, {"path", model.path}, {"bytes", model.fileBytes}};
    if (model.fault) {
        json["error"] = errorJson(*model.fault);
        return json;
    }
    json["architecture"] = model.architecture;
    json["type"] = model.mainType;
    json["parameters"] = model.parameters;
    json["types"] = Json::object();
    for (const auto& [type, bytes] : model.typeBytes)
        json["types"][type] = bytes;
    return json;
}

/// Not printf's width: it counts bytes, and a name may have letters of several.
std::string column(const std::string& text, std::size_t width) {
    std::size_t letters = 0;
    for (const char byte : text)
        letters += (static_cast<unsigned char>(byte) & 0xC0u) != 0x80u ? 1 : 0;
    return letters < width ? text + std::string(width - letters, ' ') : text;
}

std::string countText(std::uint64_t count) {
    char text[32];
    const double value = static_cast<double>(count);
    if (count >= 1'000'000'000)
        std::snprintf(text, sizeof text, "%.1f G", value / 1e9);
    else if (count >= 1'000'000)
        std::snprintf(text, sizeof text, "%.1f M", value / 1e6);
    else
        std::snprintf(text, sizeof text, "%.1f k", value / 1e3);
    return text;
}

}  // namespace

Result<int> modelsCommand(Context& context) {
    const host::ModelLibrary library(host::ModelLibrary::defaultFolders());
    const std::vector<host::ModelSummary> models = library.list();
    if (context.output.json()) {
        Json document = {{"models", Json::array()}, {"folders", library.folders()}};
        for (const host::ModelSummary& model : models)
            document["models"].push_back(modelJson(model));
        context.output.writeJson(document);
        return 0;
    }
    if (models.empty()) context.output.note("The library is empty. Its folders are:");
    for (const std::string& folder : models.empty() ? library.folders() : std::vector<std::string>())
        context.output.note("  " + folder);
    for (const host::ModelSummary& model : models) {
        std::string line = column(model.name, 32) + " " + column(sizeText(model.fileBytes), 10) + " ";
        if (model.fault)
            line += std::string(model.fault->name()) + " " + model.fault->message();
        else
            line += column(model.architecture, 10) + " " + column(model.mainType, 8) + " " +
                    countText(model.parameters);
        context.output.write(line + "\n");
    }
    return 0;
}

}  // namespace loader::cli
