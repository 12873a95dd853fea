// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The only file of this back end that knows Qt.

#include <QObject>
#include <exception>

#include "backends/api/plugin.h"
#include "backends/fake/fake_backend.h"

class FakePlugin final : public QObject, public loader::backend::BackendPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID LOADER_BACKEND_IID FILE "fake.json")
    Q_INTERFACES(loader::backend::BackendPlugin)

public:
    loader::Result<std::unique_ptr<loader::backend::Backend>> create() override {
        try {
            return std::unique_ptr<loader::backend::Backend>(std::make_unique<loader::fake::FakeBackend>());
        } catch (const std::exception& failure) {
            return loader::Error(loader::Errc::B703, {"fake", failure.what()});
        }
    }
};

#include "plugin.moc"
