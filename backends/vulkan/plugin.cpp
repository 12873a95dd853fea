// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The only file of this back end that knows Qt.

#include <QObject>
#include <exception>

#include "backends/api/plugin.h"
#include "backends/vulkan/vulkan_backend.h"

class VulkanPlugin final : public QObject, public loader::backend::BackendPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID LOADER_BACKEND_IID FILE "vulkan.json")
    Q_INTERFACES(loader::backend::BackendPlugin)

public:
    loader::Result<std::unique_ptr<loader::backend::Backend>> create() override {
        try {
            return std::unique_ptr<loader::backend::Backend>(
                std::make_unique<loader::vulkan::VulkanBackend>());
        } catch (const std::exception& failure) {
            return loader::Error(loader::Errc::B703, {"vulkan", failure.what()});
        }
    }
};

#include "plugin.moc"
