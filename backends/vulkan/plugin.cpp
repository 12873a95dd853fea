// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The only file of this back end that knows Qt, and the only one that reads the environment:
// LOADER_VULKAN_TIER and LOADER_VULKAN_WITHOUT leave features unused, LOADER_VULKAN_CACHE names a folder for
// made pipelines.

#include <QObject>
#include <cstdlib>
#include <exception>

#include "backends/api/plugin.h"
#include "backends/vulkan/vulkan_backend.h"

namespace {

const char* variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

}  // namespace

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
                       readFeatureChoice(variable("LOADER_VULKAN_TIER"), variable("LOADER_VULKAN_WITHOUT")));
            settings.device.most = choice.most;
            settings.device.without = choice.without;
            settings.cacheFolder = variable("LOADER_VULKAN_CACHE");
            return std::unique_ptr<loader::backend::Backend>(
                std::make_unique<VulkanBackend>(std::move(settings)));
        } catch (const std::exception& failure) {
            return loader::Error(loader::Errc::B703, {"vulkan", failure.what()});
        }
    }
};

#include "plugin.moc"
