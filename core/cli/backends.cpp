// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf backends: what can run models here, and why something cannot. Each is asked in a process of its own.

#include "core/app/backend_manager/backend_json.h"
#include "core/cli/context.h"

namespace loader::cli {
namespace {

void printError(Output& output, const Json& entry, const char* indent) {
    if (!entry.contains("error")) return;
    const Json& error = entry["error"];
    output.write(indent + error["code"].get<std::string>() + ": " + error["message"].get<std::string>() +
                 " " + error["action"].get<std::string>() + "\n");
}

void print(Output& output, const Json& entry) {
    output.write(entry["id"].get<std::string>() + "  " + entry["name"].get<std::string>() + "  (" +
                 entry["state"].get<std::string>() + (entry["remembered"].get<bool>() ? " before" : "") +
                 (entry["automatic"].get<bool>() ? "" : ", only by name") + ")\n");
    for (const Json& device : entry["devices"]) {
        output.write("  " + device["id"].get<std::string>() + "  " + device["name"].get<std::string>() +
                     ", " + device["detail"].get<std::string>() +
                     (device["self_tested"].get<bool>() ? ", tested" : "") + "\n");
        printError(output, device, "    ");
    }
    if (entry.contains("not_built")) output.write("  " + entry["not_built"].get<std::string>() + "\n");
    printError(output, entry, "  ");
}

}  // namespace

Result<int> backendsCommand(Context& context) {
    const app::ProbeMemory memory = probeMemory(context.arguments.has("again"));
    LOADER_TRY(const auto backends, app::probeAll(workerOptions(), memory, context.cancel));
    Json document = {{"backends", Json::array()}};
    for (const app::BackendCandidate& backend : backends)
        document["backends"].push_back(app::backendJson(backend));
    if (context.output.json()) {
        context.output.writeJson(document);
        return 0;
    }
    for (const Json& entry : document["backends"])
        print(context.output, entry);
    return 0;
}

}  // namespace loader::cli
