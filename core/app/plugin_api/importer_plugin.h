// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What an importer's Qt plugin exports. Only plugin.cpp of an importer and the importer registry include
// this.
#pragma once

#include <QtPlugin>
#include <memory>

#include "core/app/plugin_api/importer.h"

namespace loader::app {

class ImporterPlugin {
public:
    virtual ~ImporterPlugin() = default;
    virtual std::unique_ptr<Importer> create() = 0;
};

}  // namespace loader::app

#define LOADER_IMPORTER_IID "org.ggufloader.Importer/1"
Q_DECLARE_INTERFACE(loader::app::ImporterPlugin, LOADER_IMPORTER_IID)
