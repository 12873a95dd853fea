// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/vulkan_library.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace loader::vulkan {
namespace {

constexpr const char* kEntry = "vkGetInstanceProcAddr";

#ifdef _WIN32

void* openLibrary(const std::string& name, std::string& reason) {
    // Not from the working folder: a library there may be anybody's.
    const HMODULE module = LoadLibraryExA(name.c_str(), nullptr, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
    if (!module) reason = "error " + std::to_string(GetLastError());
    return reinterpret_cast<void*>(module);
}

PFN_vkGetInstanceProcAddr entryOf(void* library) {
    return reinterpret_cast<PFN_vkGetInstanceProcAddr>(
        GetProcAddress(reinterpret_cast<HMODULE>(library), kEntry));
}

#else

void* openLibrary(const std::string& name, std::string& reason) {
    void* library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        const char* told = ::dlerror();
        reason = told != nullptr ? told : "no reason is given";
    }
    return library;
}

PFN_vkGetInstanceProcAddr entryOf(void* library) {
    return reinterpret_cast<PFN_vkGetInstanceProcAddr>(::dlsym(library, kEntry));
}

#endif

}  // namespace

std::vector<std::string> VulkanLibrary::defaultNames() {
#if defined(_WIN32)
    return {"vulkan-1.dll"};
#elif defined(__APPLE__)
    return {"libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib"};
#else
    return {"libvulkan.so.1", "libvulkan.so"};
#endif
}

Result<std::unique_ptr<VulkanLibrary>> VulkanLibrary::open(const std::vector<std::string>& names) {
    std::string first;
    for (const std::string& name : names) {
        std::string reason;
        void* library = openLibrary(name, reason);
        if (library == nullptr) {
            // The first name is the one that should be there; the others are for old systems.
            if (first.empty()) first = reason;
            continue;
        }
        const PFN_vkGetInstanceProcAddr entry = entryOf(library);
        if (entry == nullptr) return Error(Errc::B722, {name + " is no Vulkan library"});
        return std::unique_ptr<VulkanLibrary>(new VulkanLibrary(entry));
    }
    return Error(Errc::B720, {first.empty() ? "no library is named" : first});
}

}  // namespace loader::vulkan
