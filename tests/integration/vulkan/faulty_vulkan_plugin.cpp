// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The Vulkan back end with the library that misbehaves, for tests with real workers: they forget their
// environment, so that the script lies in a file beside the plugin. It is read, and the library opened,
// before the sandbox closes.

#include <QObject>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <dlfcn.h>

#include "backends/api/plugin.h"
#include "backends/vulkan/vulkan_backend.h"

namespace {

std::string folderOf(const void* code) {
    Dl_info facts{};
    if (::dladdr(code, &facts) == 0) return {};
    const std::string path = facts.dli_fname;
    return path.substr(0, path.rfind('/'));
}

std::string textOf(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// An anchor inside of this file.
void here() {}

}  // namespace

class FaultyVulkanPlugin final : public QObject, public loader::backend::BackendPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID LOADER_BACKEND_IID FILE "../../../backends/vulkan/vulkan.json")
    Q_INTERFACES(loader::backend::BackendPlugin)

public:
    loader::Result<std::unique_ptr<loader::backend::Backend>> create() override {
        const std::string folder = folderOf(reinterpret_cast<const void*>(&here));
        ::setenv("LOADER_VULKAN_FAULTS", textOf(folder + "/faults.txt").c_str(), 1);
        ::setenv("LOADER_VULKAN_COUNTS", (folder + "/counts.bin").c_str(), 1);
        void* library = ::dlopen(LOADER_FAULTS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
        const auto record = reinterpret_cast<void* (*)()>(
            library != nullptr ? ::dlsym(library, "loaderFaultsRecord") : nullptr);
        if (record == nullptr)
            return loader::Error(loader::Errc::B720, {"the library of the test is missing"});
        record();
        loader::vulkan::VulkanSettings settings;
        settings.libraryNames = {LOADER_FAULTS_LIBRARY};
        const std::string answer = textOf(folder + "/answer.txt");
        if (!answer.empty()) settings.device.answerMs = std::stoull(answer);
        const char* cache = std::getenv("LOADER_VULKAN_CACHE");
        settings.cacheFolder = cache != nullptr ? cache : "";
        return std::unique_ptr<loader::backend::Backend>(
            std::make_unique<loader::vulkan::VulkanBackend>(std::move(settings)));
    }
};

#include "faulty_vulkan_plugin.moc"
