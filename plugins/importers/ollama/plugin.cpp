// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The only file of this importer that knows Qt.

#include <QObject>

#include "core/app/plugin_api/importer_plugin.h"
#include "plugins/importers/ollama/importer.h"

class OllamaPlugin final : public QObject, public loader::app::ImporterPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID LOADER_IMPORTER_IID FILE "ollama.json")
    Q_INTERFACES(loader::app::ImporterPlugin)

public:
    std::unique_ptr<loader::app::Importer> create() override {
        return std::make_unique<loader::importers::OllamaImporter>();
    }
};

#include "plugin.moc"
