// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/backend_manager/backend_json.h"

#include "core/app/backend_manager/probe_convert.h"

namespace loader::app {
namespace {

using Json = nlohmann::ordered_json;

Json faultJson(const Error& error) {
    return {{"code", error.name()},
            {"message", error.message()},
            {"place", error.place()},
            {"action", error.action()}};
}

Json deviceJson(const protocol::DeviceEntry& device) {
    Json json = {{"id", device.id},
                 {"name", device.name},
                 {"detail", device.detail},
                 {"kind", nameOf(probedDevice(device).kind)},
                 {"memory_bytes", device.memoryBytes},
                 {"free_bytes", device.freeBytes},
                 {"self_tested", device.selfTested}};
    if (!device.refusal.empty()) json["error"] = faultJson(device.refusal.front());
    return json;
}

}  // namespace

Json backendJson(const BackendCandidate& backend) {
    const protocol::BackendEntry& entry = backend.entry;
    Json json = {{"id", entry.id},
                 {"name", entry.displayName},
                 {"path", entry.path},
                 {"priority", entry.priority},
                 {"automatic", entry.automatic},
                 {"state", nameOf(backend.state)},
                 {"remembered", backend.remembered},
                 {"devices", Json::array()}};
    for (const protocol::DeviceEntry& device : backend.devices)
        json["devices"].push_back(deviceJson(device));
    if (!entry.refusal.empty())
        json["error"] = faultJson(entry.refusal.front());
    else if (!backend.failure.empty())
        json["error"] = faultJson(backend.failure.front());
    return json;
}

}  // namespace loader::app
