// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a back end's Qt plugin exports. Only plugin.cpp of a back end and core/host include this.
#pragma once

#include <QtPlugin>
#include <memory>

#include "backends/api/backend.h"

namespace loader::backend {

class BackendPlugin {
public:
    virtual ~BackendPlugin() = default;
    /// Never throws: the shim turns exceptions into B703.
    virtual Result<std::unique_ptr<Backend>> create() = 0;
};

}  // namespace loader::backend

#define LOADER_BACKEND_IID "org.ggufloader.Backend/1"
Q_DECLARE_INTERFACE(loader::backend::BackendPlugin, LOADER_BACKEND_IID)
