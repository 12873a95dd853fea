// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf backends: what can run models here, and why something cannot.

#include "core/cli/context.h"

namespace loader::cli {
namespace {

std::string_view nameOf(backend::DeviceKind kind) {
    switch (kind) {
        case backend::DeviceKind::Cpu: return "cpu";
        case backend::DeviceKind::IntegratedGpu: return "integrated";
        case backend::DeviceKind::DiscreteGpu: return "discrete";
        case backend::DeviceKind::Virtual: return "virtual";
    }
    return {};
}

Json devicesJson(const std::vector<backend::DeviceFacts>& devices) {
    Json list = Json::array();
    for (const backend::DeviceFacts& device : devices) {
        list.push_back({{"id", device.id},
                        {"name", device.name},
                        {"detail", device.detail},
                        {"kind", nameOf(device.kind)},
                        {"memory_bytes", device.memoryBytes},
                        {"free_bytes", device.freeBytes}});
    }
    return list;
}

/// Opens the back end where that is possible, so that its devices and its state are the real ones.
Json backendJson(host::BackendRegistry& registry, std::size_t index) {
    Json devices = Json::array();
    std::optional<Error> fault = registry.backends()[index].refusal;
    if (!fault) {
        auto opened = registry.open(registry.backends()[index].id);
        if (opened.ok()) {
            auto found = (*opened)->devices();
            if (found.ok()) devices = devicesJson(*found);
            if (!found.ok()) fault = std::move(found).error();
        } else {
            fault = std::move(opened).error();
        }
    }
    const host::BackendFacts& facts = registry.backends()[index];
    Json json = {{"id", facts.id},
                 {"name", facts.displayName},
                 {"path", facts.path},
                 {"priority", facts.priority},
                 {"automatic", facts.automatic},
                 {"state", host::nameOf(facts.state)},
                 {"devices", std::move(devices)}};
    if (fault) json["error"] = errorJson(*fault);
    return json;
}

void print(Output& output, const Json& entry) {
    output.write(entry["id"].get<std::string>() + "  " + entry["name"].get<std::string>() + "  (" +
                 entry["state"].get<std::string>() +
                 (entry["automatic"].get<bool>() ? "" : ", only by name") + ")\n");
    for (const Json& device : entry["devices"])
        output.write("  " + device["id"].get<std::string>() + "  " + device["name"].get<std::string>() +
                     ", " + device["detail"].get<std::string>() + "\n");
    if (entry.contains("error"))
        output.write("  " + entry["error"]["code"].get<std::string>() + ": " +
                     entry["error"]["message"].get<std::string>() + "\n");
}

}  // namespace

Result<int> backendsCommand(Context& context) {
    host::BackendRegistry registry(host::BackendRegistry::defaultFolder());
    Json document = {{"backends", Json::array()}};
    for (std::size_t i = 0; i < registry.backends().size(); ++i)
        document["backends"].push_back(backendJson(registry, i));
    if (context.output.json()) {
        context.output.writeJson(document);
        return 0;
    }
    for (const Json& entry : document["backends"])
        print(context.output, entry);
    return 0;
}

}  // namespace loader::cli
