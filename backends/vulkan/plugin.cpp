// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The only file of this back end that knows Qt, and the only one that reads the environment:
// LOADER_VULKAN_TIER and LOADER_VULKAN_WITHOUT leave features unused, LOADER_VULKAN_CACHE names a folder for
// made pipelines.

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
        using namespace loader::vulkan;
        try {
            VulkanSettings settings;
            LOADER_TRY(const FeatureChoice choice,
                       readFeatureChoice(qEnvironmentVariable("LOADER_VULKAN_TIER").toStdString(),
                                         qEnvironmentVariable("LOADER_VULKAN_WITHOUT").toStdString()));
            settings.device.most = choice.most;
            settings.device.without = choice.without;
            settings.cacheFolder = qEnvironmentVariable("LOADER_VULKAN_CACHE").toStdString();
            return std::unique_ptr<loader::backend::Backend>(
                std::make_unique<VulkanBackend>(std::move(settings)));
        } catch (const std::exception& failure) {
            return loader::Error(loader::Errc::B703, {"vulkan", failure.what()});
        }
    }
};

#include "plugin.moc"
