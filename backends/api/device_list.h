// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Backend::device() of a back end that lists all its devices. Header only, so that back ends share no
// library.
#pragma once

#include <string>

#include "backends/api/backend.h"

namespace loader::backend {

/// @param id empty takes the first @errors X001 there is none of this id; those of devices()
inline Result<DeviceFacts> findDevice(Backend& backend, const std::string& id) {
    LOADER_TRY(const std::vector<DeviceFacts> listed, backend.devices());
    std::string known;
    for (const DeviceFacts& facts : listed) {
        if (id.empty() || facts.id == id) return facts;
        known += (known.empty() ? "" : ", ") + facts.id;
    }
    return Error(Errc::X001, {"The back end " + backend.id() + " has no device " + id +
                              "; it has: " + (known.empty() ? "none" : known) + "."});
}

}  // namespace loader::backend
