// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QObject>

#include "core/app/plugin_api/importer_plugin.h"
#include "plugins/importers/gguf-loader-app/importer.h"

class GgufLoaderAppPlugin final : public QObject, public loader::app::ImporterPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID LOADER_IMPORTER_IID FILE "gguf-loader-app.json")
    Q_INTERFACES(loader::app::ImporterPlugin)

public:
    std::unique_ptr<loader::app::Importer> create() override {
        return std::make_unique<loader::app::GgufLoaderApp>();
    }
};

#include "plugin.moc"
