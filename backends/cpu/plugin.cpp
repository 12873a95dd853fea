// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The only file of this back end that knows Qt.

#include <QObject>
#include <exception>

#include "backends/api/plugin.h"
#include "backends/cpu/exec/cpu_backend.h"

class CpuPlugin final : public QObject, public loader::backend::BackendPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID LOADER_BACKEND_IID FILE "cpu.json")
    Q_INTERFACES(loader::backend::BackendPlugin)

public:
    loader::Result<std::unique_ptr<loader::backend::Backend>> create() override {
        try {
            return std::unique_ptr<loader::backend::Backend>(std::make_unique<loader::cpu::CpuBackend>());
        } catch (const std::exception& failure) {
            return loader::Error(loader::Errc::B703, {"cpu", failure.what()});
        }
    }
};

#include "plugin.moc"
