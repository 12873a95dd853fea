// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A Vulkan layer that misbehaves as fault_script.h says, and the same as a library that stands in for
// libvulkan: workers start without the variables that name layers, and see no file of ours from inside of
// their sandbox. @source Vulkan loader, "Architecture of the layer interface", version 2

#define VK_NO_PROTOTYPES
#include <vulkan/vk_layer.h>

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/support/vulkan_faults/device_calls.h"
#include "tests/support/vulkan_faults/device_lies.h"
#include "tests/support/vulkan_faults/layer_state.h"

namespace loader::test {
namespace {

using Function = FaultFunction;

PFN_vkVoidFunction VKAPI_CALL getInstanceProcAddr(VkInstance instance, const char* name);
PFN_vkVoidFunction VKAPI_CALL getDeviceProcAddr(VkDevice device, const char* name);

/// Of the real library, which is opened as late as the program would.
PFN_vkGetInstanceProcAddr realLibrary() {
    static const auto entry = [] {
        void* library = ::dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
        return reinterpret_cast<PFN_vkGetInstanceProcAddr>(
            library != nullptr ? ::dlsym(library, "vkGetInstanceProcAddr") : nullptr);
    }();
    return entry;
}

/// The loader's structure in a chain, where there is one: then we are a layer.
template <class Info>
Info* linkOf(const void* chain, VkStructureType type) {
    auto* next = static_cast<VkBaseOutStructure*>(const_cast<void*>(chain));
    for (; next != nullptr; next = next->pNext) {
        void* structure = next;
        if (next->sType == type && static_cast<Info*>(structure)->function == VK_LAYER_LINK_INFO)
            return static_cast<Info*>(structure);
    }
    return nullptr;
}

void findFunctions(InstanceState& state) {
    constexpr const char* kNames[] = {
#define LOADER_FAULT_INSTANCE(name) "vk" #name,
#define LOADER_FAULT_DEVICE(name, objects, loses) nullptr,
#include "tests/support/vulkan_faults/fault_functions.inc"
    };
    for (std::size_t i = 0; i < kFaultFunctions; ++i) {
        if (kNames[i] != nullptr) state.functions[i] = state.next(state.handle, kNames[i]);
    }
    state.nextDevice =
        reinterpret_cast<PFN_vkGetDeviceProcAddr>(state.next(state.handle, "vkGetDeviceProcAddr"));
}

VkResult VKAPI_CALL createInstance(const VkInstanceCreateInfo* info, const VkAllocationCallbacks* callbacks,
                                   VkInstance* out) {
    const Verdict verdict = judge(Function::CreateInstance, nullptr);
    if (verdict.answers) return verdict.result;
    auto* link =
        linkOf<VkLayerInstanceCreateInfo>(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
    const PFN_vkGetInstanceProcAddr next =
        link != nullptr ? link->u.pLayerInfo->pfnNextGetInstanceProcAddr : realLibrary();
    if (link != nullptr) link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    if (next == nullptr) return VK_ERROR_INITIALIZATION_FAILED;
    const auto create = reinterpret_cast<PFN_vkCreateInstance>(next(VK_NULL_HANDLE, "vkCreateInstance"));
    const VkResult result = create(info, callbacks, out);
    if (result != VK_SUCCESS) return result;
    auto state = std::make_shared<InstanceState>();
    state->handle = *out;
    state->next = next;
    findFunctions(*state);
    addInstance(std::move(state));
    return result;
}

void VKAPI_CALL destroyInstance(VkInstance instance, const VkAllocationCallbacks* callbacks) {
    if (instance == VK_NULL_HANDLE) return;
    judge(Function::DestroyInstance, nullptr);
    const auto state = instanceOf(instance);
    removeInstance(instance);
    state->of<PFN_vkDestroyInstance>(Function::DestroyInstance)(instance, callbacks);
}

VkResult VKAPI_CALL enumeratePhysicalDevices(VkInstance instance, std::uint32_t* count,
                                             VkPhysicalDevice* list) {
    const Verdict verdict = judge(Function::EnumeratePhysicalDevices, nullptr);
    if (verdict.answers) return verdict.result;
    if (verdict.none) {
        *count = 0;
        return VK_SUCCESS;
    }
    return instanceOf(instance)->of<PFN_vkEnumeratePhysicalDevices>(Function::EnumeratePhysicalDevices)(
        instance, count, list);
}

std::vector<VkExtensionProperties> realExtensions(VkPhysicalDevice device) {
    const auto next = instanceOf(device)->of<PFN_vkEnumerateDeviceExtensionProperties>(
        Function::EnumerateDeviceExtensionProperties);
    std::uint32_t count = 0;
    if (next(device, nullptr, &count, nullptr) != VK_SUCCESS) return {};
    std::vector<VkExtensionProperties> list(count);
    next(device, nullptr, &count, list.data());
    list.resize(count);
    return list;
}

VkResult VKAPI_CALL enumerateExtensions(VkPhysicalDevice device, const char* layer, std::uint32_t* count,
                                        VkExtensionProperties* out) {
    const Verdict verdict = judge(Function::EnumerateDeviceExtensionProperties, nullptr);
    if (verdict.answers) return verdict.result;
    if (layer != nullptr && *layer != '\0') {
        *count = 0;
        return VK_SUCCESS;
    }
    std::vector<VkExtensionProperties> list = realExtensions(device);
    lieExtensions(*currentScript(), list);
    const auto all = static_cast<std::uint32_t>(list.size());
    const std::uint32_t given = out == nullptr ? all : std::min(*count, all);
    if (out != nullptr) std::copy_n(list.begin(), given, out);
    *count = given;
    return given < all ? VK_INCOMPLETE : VK_SUCCESS;
}

void VKAPI_CALL getProperties(VkPhysicalDevice device, VkPhysicalDeviceProperties* out) {
    judge(Function::GetPhysicalDeviceProperties, nullptr);
    instanceOf(device)->of<PFN_vkGetPhysicalDeviceProperties>(Function::GetPhysicalDeviceProperties)(device,
                                                                                                     out);
    lieProperties(*currentScript(), *out);
}

void VKAPI_CALL getProperties2(VkPhysicalDevice device, VkPhysicalDeviceProperties2* out) {
    judge(Function::GetPhysicalDeviceProperties2, nullptr);
    instanceOf(device)->of<PFN_vkGetPhysicalDeviceProperties2>(Function::GetPhysicalDeviceProperties2)(device,
                                                                                                       out);
    lieProperties(*currentScript(), *out);
}

void VKAPI_CALL getFeatures(VkPhysicalDevice device, VkPhysicalDeviceFeatures* out) {
    judge(Function::GetPhysicalDeviceFeatures, nullptr);
    instanceOf(device)->of<PFN_vkGetPhysicalDeviceFeatures>(Function::GetPhysicalDeviceFeatures)(device, out);
}

void VKAPI_CALL getFeatures2(VkPhysicalDevice device, VkPhysicalDeviceFeatures2* out) {
    judge(Function::GetPhysicalDeviceFeatures2, nullptr);
    instanceOf(device)->of<PFN_vkGetPhysicalDeviceFeatures2>(Function::GetPhysicalDeviceFeatures2)(device,
                                                                                                   out);
    lieFeatures(*currentScript(), *out);
}

void realMemory(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties* out) {
    instanceOf(device)->of<PFN_vkGetPhysicalDeviceMemoryProperties>(
        Function::GetPhysicalDeviceMemoryProperties)(device, out);
}

void toldMemory(VkPhysicalDeviceMemoryProperties* memory) {
    if (lieMemory(*currentScript(), *memory)) return;
    std::fputs("LOADER_VULKAN_FAULTS: memory= needs a device with a single type of memory\n", stderr);
    std::abort();
}

void VKAPI_CALL getMemory(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties* out) {
    judge(Function::GetPhysicalDeviceMemoryProperties, nullptr);
    realMemory(device, out);
    toldMemory(out);
}

void VKAPI_CALL getMemory2(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties2* out) {
    judge(Function::GetPhysicalDeviceMemoryProperties2, nullptr);
    const auto state = instanceOf(device);
    state->of<PFN_vkGetPhysicalDeviceMemoryProperties2>(Function::GetPhysicalDeviceMemoryProperties2)(device,
                                                                                                      out);
    toldMemory(&out->memoryProperties);
    const std::lock_guard guard(state->memory);
    lieBudget(*currentScript(), out->memoryProperties, state->used.data(), *out);
}

/// Without what only the script offers.
std::vector<const char*> extensionsFor(VkPhysicalDevice device, const VkDeviceCreateInfo& info) {
    std::vector<const char*> names(info.ppEnabledExtensionNames,
                                   info.ppEnabledExtensionNames + info.enabledExtensionCount);
    if (!fakesBudget(*currentScript())) return names;
    const std::vector<VkExtensionProperties> real = realExtensions(device);
    std::erase_if(names, [&real](const char* name) {
        return std::none_of(real.begin(), real.end(), [name](const VkExtensionProperties& one) {
            return std::strcmp(one.extensionName, name) == 0;
        });
    });
    return names;
}

std::shared_ptr<DeviceState> describe(VkPhysicalDevice physical, VkDevice device,
                                      PFN_vkGetDeviceProcAddr next) {
    auto state = std::make_shared<DeviceState>();
    state->handle = device;
    state->physical = physical;
    state->instance = instanceOf(physical);
    state->nextProcAddr = next;
    VkPhysicalDeviceProperties properties{};
    state->instance->of<PFN_vkGetPhysicalDeviceProperties>(Function::GetPhysicalDeviceProperties)(
        physical, &properties);
    state->limits = properties.limits;
    realMemory(physical, &state->realMemory);
    state->memory = state->realMemory;
    toldMemory(&state->memory);
    findNext(*state);
    return state;
}

VkResult VKAPI_CALL createDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo* info,
                                 const VkAllocationCallbacks* callbacks, VkDevice* out) {
    const Verdict verdict = judge(Function::CreateDevice, nullptr);
    if (verdict.answers) return verdict.result;
    const std::string asked = askedTooMuch(*currentScript(), *info);
    if (!asked.empty()) {
        violation("asks for " + asked);
        return VK_ERROR_FEATURE_NOT_PRESENT;
    }
    const auto instance = instanceOf(physical);
    auto* link = linkOf<VkLayerDeviceCreateInfo>(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
    PFN_vkGetInstanceProcAddr next = instance->next;
    PFN_vkGetDeviceProcAddr nextDevice = instance->nextDevice;
    if (link != nullptr) {
        next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
        nextDevice = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
        link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    }
    const std::vector<const char*> extensions = extensionsFor(physical, *info);
    VkDeviceCreateInfo real = *info;
    real.enabledExtensionCount = static_cast<std::uint32_t>(extensions.size());
    real.ppEnabledExtensionNames = extensions.data();
    const auto create = reinterpret_cast<PFN_vkCreateDevice>(next(instance->handle, "vkCreateDevice"));
    const VkResult result = create(physical, &real, callbacks, out);
    if (result == VK_SUCCESS) addDevice(describe(physical, *out, nextDevice));
    return result;
}

struct Named {
    std::string_view name;
    PFN_vkVoidFunction ours;
};

template <class F>
PFN_vkVoidFunction plain(F function) {
    return reinterpret_cast<PFN_vkVoidFunction>(function);
}

PFN_vkVoidFunction instanceFunction(std::string_view name) {
    static const Named kOurs[] = {
        {"vkCreateInstance", plain(&createInstance)},
        {"vkDestroyInstance", plain(&destroyInstance)},
        {"vkEnumeratePhysicalDevices", plain(&enumeratePhysicalDevices)},
        {"vkEnumerateDeviceExtensionProperties", plain(&enumerateExtensions)},
        {"vkGetPhysicalDeviceProperties", plain(&getProperties)},
        {"vkGetPhysicalDeviceProperties2", plain(&getProperties2)},
        {"vkGetPhysicalDeviceProperties2KHR", plain(&getProperties2)},
        {"vkGetPhysicalDeviceFeatures", plain(&getFeatures)},
        {"vkGetPhysicalDeviceFeatures2", plain(&getFeatures2)},
        {"vkGetPhysicalDeviceFeatures2KHR", plain(&getFeatures2)},
        {"vkGetPhysicalDeviceMemoryProperties", plain(&getMemory)},
        {"vkGetPhysicalDeviceMemoryProperties2", plain(&getMemory2)},
        {"vkGetPhysicalDeviceMemoryProperties2KHR", plain(&getMemory2)},
        {"vkCreateDevice", plain(&createDevice)},
        {"vkGetInstanceProcAddr", plain(&getInstanceProcAddr)},
        {"vkGetDeviceProcAddr", plain(&getDeviceProcAddr)},
    };
    const auto found =
        std::find_if(std::begin(kOurs), std::end(kOurs), [&](const Named& one) { return one.name == name; });
    return found == std::end(kOurs) ? nullptr : found->ours;
}

PFN_vkVoidFunction VKAPI_CALL getInstanceProcAddr(VkInstance instance, const char* name) {
    if (instance == VK_NULL_HANDLE) {
        const std::string_view asked = name;
        if (asked == "vkCreateInstance" || asked == "vkGetInstanceProcAddr") return instanceFunction(asked);
        if (asked == "vkEnumerateInstanceVersion" && currentScript()->oldLibrary) return nullptr;
        return realLibrary() != nullptr ? realLibrary()(VK_NULL_HANDLE, name) : nullptr;
    }
    const auto state = instanceOf(instance);
    const PFN_vkVoidFunction next = state != nullptr ? state->next(instance, name) : nullptr;
    if (const PFN_vkVoidFunction ours = instanceFunction(name)) return ours;
    const PFN_vkVoidFunction ours = deviceFunction(name);
    return ours != nullptr && next != nullptr ? ours : next;
}

PFN_vkVoidFunction VKAPI_CALL getDeviceProcAddr(VkDevice device, const char* name) {
    if (std::strcmp(name, "vkGetDeviceProcAddr") == 0) return plain(&getDeviceProcAddr);
    const auto state = deviceOf(device);
    const PFN_vkVoidFunction next = state != nullptr ? state->nextProcAddr(device, name) : nullptr;
    const PFN_vkVoidFunction ours = deviceFunction(name);
    return ours != nullptr && next != nullptr ? ours : next;
}

}  // namespace
}  // namespace loader::test

// What the Vulkan loader asks of a layer.
extern "C" VK_LAYER_EXPORT VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface* interface) {
    if (interface->loaderLayerInterfaceVersion < 2) return VK_ERROR_INITIALIZATION_FAILED;
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = &loader::test::getInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = &loader::test::getDeviceProcAddr;
    interface->pfnGetPhysicalDeviceProcAddr = nullptr;
    return VK_SUCCESS;
}

// What a program asks of libvulkan.
extern "C" VK_LAYER_EXPORT PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance,
                                                                               const char* name) {
    return loader::test::getInstanceProcAddr(instance, name);
}

// What a test in the same process asks.
extern "C" VK_LAYER_EXPORT void loaderFaultsSet(const char* text) {
    loader::test::setScript(text);
}
extern "C" VK_LAYER_EXPORT loader::test::FaultRecord* loaderFaultsRecord() {
    return &loader::test::record();
}
