// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/vulkan_faults/device_calls.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "tests/support/vulkan_faults/device_lies.h"

namespace loader::test {
namespace {

using enum FaultFunction;

template <FaultFunction function>
struct Tag {};

/// What most functions do: nothing of their own.
template <FaultFunction function, class Next, class... Arguments>
auto forward(Tag<function>, DeviceState&, Next next, Arguments... arguments) {
    return next(arguments...);
}

constexpr int kObjects[] = {
#define LOADER_FAULT_INSTANCE(name) 0,
#define LOADER_FAULT_DEVICE(name, objects, loses) objects,
#include "tests/support/vulkan_faults/fault_functions.inc"
};

std::string above(const char* what, std::uint64_t wanted, std::uint64_t most) {
    return std::string(what) + ": " + std::to_string(wanted) + " where " + std::to_string(most) +
           " is the limit";
}

Allocation* allocationOf(DeviceState& device, VkDeviceMemory memory) {
    const auto found = device.allocations.find(memory);
    return found == device.allocations.end() ? nullptr : &found->second;
}

bool isCoherent(const Allocation& allocation) {
    return (allocation.flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
}

/// New memory holds what another program left there.
void makeDirty(DeviceState& device, VkDeviceMemory memory, std::uint32_t realType) {
    const VkMemoryPropertyFlags flags = device.realMemory.memoryTypes[realType].propertyFlags;
    if ((flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) == 0) return;
    const auto map = reinterpret_cast<PFN_vkMapMemory>(device.next[static_cast<std::size_t>(MapMemory)]);
    const auto unmap =
        reinterpret_cast<PFN_vkUnmapMemory>(device.next[static_cast<std::size_t>(UnmapMemory)]);
    void* bytes = nullptr;
    if (map(device.handle, memory, 0, VK_WHOLE_SIZE, 0, &bytes) != VK_SUCCESS) return;
    std::memset(bytes, 0xA5, allocationOf(device, memory)->bytes);
    unmap(device.handle, memory);
}

VkResult forward(Tag<AllocateMemory>, DeviceState& device, PFN_vkAllocateMemory next, VkDevice handle,
                 const VkMemoryAllocateInfo* info, const VkAllocationCallbacks* callbacks,
                 VkDeviceMemory* out) {
    const auto script = currentScript();
    const std::uint64_t most = limitOr(*script, "maxMemoryAllocationSize", ~std::uint64_t{0});
    if (info->allocationSize > most) {
        violation(above("maxMemoryAllocationSize", info->allocationSize, most));
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    if (info->memoryTypeIndex >= device.memory.memoryTypeCount) {
        violation("a memory type that there is not");
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    const VkMemoryType& type = device.memory.memoryTypes[info->memoryTypeIndex];
    const std::lock_guard heaps(device.instance->memory);
    std::uint64_t& used = device.instance->used[type.heapIndex];
    if (used + info->allocationSize > device.memory.memoryHeaps[type.heapIndex].size)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkMemoryAllocateInfo real = *info;
    if (script->memory != MemoryLie::Truth) real.memoryTypeIndex = 0;
    const VkResult result = next(handle, &real, callbacks, out);
    if (result != VK_SUCCESS) return result;
    used += info->allocationSize;
    const std::lock_guard guard(device.lock);
    Allocation& made = device.allocations[*out];
    made = {info->allocationSize, type.heapIndex, type.propertyFlags, {}, nullptr};
    if (script->dirty) makeDirty(device, *out, real.memoryTypeIndex);
    return result;
}

void forward(Tag<FreeMemory>, DeviceState& device, PFN_vkFreeMemory next, VkDevice handle,
             VkDeviceMemory memory, const VkAllocationCallbacks* callbacks) {
    {
        const std::lock_guard heaps(device.instance->memory);
        const std::lock_guard guard(device.lock);
        if (const Allocation* known = allocationOf(device, memory)) {
            device.instance->used[known->heap] -= known->bytes;
            device.allocations.erase(memory);
        }
    }
    next(handle, memory, callbacks);
}

VkResult forward(Tag<MapMemory>, DeviceState& device, PFN_vkMapMemory next, VkDevice handle,
                 VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size, VkMemoryMapFlags flags,
                 void** out) {
    const std::lock_guard guard(device.lock);
    Allocation* known = allocationOf(device, memory);
    if (known == nullptr) return next(handle, memory, offset, size, flags, out);
    if ((known->flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) == 0) {
        violation("memory is mapped that the host cannot see");
        return VK_ERROR_MEMORY_MAP_FAILED;
    }
    void* real = nullptr;
    const VkResult result = next(handle, memory, 0, VK_WHOLE_SIZE, flags, &real);
    if (result != VK_SUCCESS) return result;
    known->real = static_cast<std::byte*>(real);
    *out = known->real + offset;
    if (currentScript()->memory == MemoryLie::Truth || isCoherent(*known)) return result;
    // What the device wrote before is not seen until it is asked for.
    known->shadow.assign(known->bytes, std::byte{0xEE});
    *out = known->shadow.data() + offset;
    return result;
}

/// Whether the ranges were all of made-up memory and are done. @param toDevice flush
bool moveShadows(DeviceState& device, std::uint32_t count, const VkMappedMemoryRange* ranges, bool toDevice) {
    const std::uint64_t atom =
        limitOr(*currentScript(), "nonCoherentAtomSize", device.limits.nonCoherentAtomSize);
    const std::lock_guard guard(device.lock);
    bool all = true;
    for (std::uint32_t i = 0; i < count; ++i) {
        const VkMappedMemoryRange& range = ranges[i];
        Allocation* known = allocationOf(device, range.memory);
        if (known == nullptr || known->shadow.empty()) {
            all = false;
            continue;
        }
        const bool whole = range.size == VK_WHOLE_SIZE;
        const std::uint64_t bytes = whole ? known->bytes - range.offset : range.size;
        const bool ends = range.offset + bytes == known->bytes;
        if (range.offset % atom != 0 || (bytes % atom != 0 && !ends) || range.offset + bytes > known->bytes) {
            violation(above("a range is no multiple of nonCoherentAtomSize", bytes, atom));
            continue;
        }
        std::byte* shadow = known->shadow.data() + range.offset;
        std::byte* real = known->real + range.offset;
        std::memcpy(toDevice ? real : shadow, toDevice ? shadow : real, bytes);
    }
    return all;
}

VkResult forward(Tag<FlushMappedMemoryRanges>, DeviceState& device, PFN_vkFlushMappedMemoryRanges next,
                 VkDevice handle, std::uint32_t count, const VkMappedMemoryRange* ranges) {
    return moveShadows(device, count, ranges, true) ? VK_SUCCESS : next(handle, count, ranges);
}

VkResult forward(Tag<InvalidateMappedMemoryRanges>, DeviceState& device,
                 PFN_vkInvalidateMappedMemoryRanges next, VkDevice handle, std::uint32_t count,
                 const VkMappedMemoryRange* ranges) {
    return moveShadows(device, count, ranges, false) ? VK_SUCCESS : next(handle, count, ranges);
}

void allTypes(const DeviceState& device, std::uint32_t& bits) {
    if (currentScript()->memory != MemoryLie::Truth) bits = (1u << device.memory.memoryTypeCount) - 1;
}

void forward(Tag<GetBufferMemoryRequirements>, DeviceState& device, PFN_vkGetBufferMemoryRequirements next,
             VkDevice handle, VkBuffer buffer, VkMemoryRequirements* out) {
    next(handle, buffer, out);
    allTypes(device, out->memoryTypeBits);
}

void forward(Tag<GetBufferMemoryRequirements2>, DeviceState& device, PFN_vkGetBufferMemoryRequirements2 next,
             VkDevice handle, const VkBufferMemoryRequirementsInfo2* info, VkMemoryRequirements2* out) {
    next(handle, info, out);
    allTypes(device, out->memoryRequirements.memoryTypeBits);
}

VkResult forward(Tag<CreateBuffer>, DeviceState& device, PFN_vkCreateBuffer next, VkDevice handle,
                 const VkBufferCreateInfo* info, const VkAllocationCallbacks* callbacks, VkBuffer* out) {
    const std::uint64_t most = limitOr(*currentScript(), "maxBufferSize", ~std::uint64_t{0});
    if (info->size > most) {
        violation(above("maxBufferSize", info->size, most));
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    const VkResult result = next(handle, info, callbacks, out);
    const std::lock_guard guard(device.lock);
    if (result == VK_SUCCESS) device.buffers[*out] = info->size;
    return result;
}

void forward(Tag<UpdateDescriptorSets>, DeviceState& device, PFN_vkUpdateDescriptorSets next, VkDevice handle,
             std::uint32_t count, const VkWriteDescriptorSet* writes, std::uint32_t copyCount,
             const VkCopyDescriptorSet* copies) {
    const auto script = currentScript();
    const std::uint64_t most = limitOr(*script, "maxStorageBufferRange", device.limits.maxStorageBufferRange);
    const std::uint64_t align =
        limitOr(*script, "minStorageBufferOffsetAlignment", device.limits.minStorageBufferOffsetAlignment);
    for (std::uint32_t i = 0; i < count; ++i) {
        if (writes[i].descriptorType != VK_DESCRIPTOR_TYPE_STORAGE_BUFFER) continue;
        for (std::uint32_t k = 0; k < writes[i].descriptorCount; ++k) {
            const VkDescriptorBufferInfo& info = writes[i].pBufferInfo[k];
            std::uint64_t range = info.range;
            if (range == VK_WHOLE_SIZE) {
                const std::lock_guard guard(device.lock);
                range = device.buffers[info.buffer] - info.offset;
            }
            if (range > most) violation(above("maxStorageBufferRange", range, most));
            if (info.offset % align != 0)
                violation(above("minStorageBufferOffsetAlignment", info.offset, align));
        }
    }
    next(handle, count, writes, copyCount, copies);
}

void forward(Tag<CmdDispatch>, DeviceState& device, PFN_vkCmdDispatch next, VkCommandBuffer commands,
             std::uint32_t x, std::uint32_t y, std::uint32_t z) {
    const auto script = currentScript();
    const auto check = [&](const char* name, std::uint32_t groups, std::uint32_t axis) {
        const std::uint64_t most = limitOr(*script, name, device.limits.maxComputeWorkGroupCount[axis]);
        if (groups > most) violation(above(name, groups, most));
    };
    check("maxComputeWorkGroupCountX", x, 0);
    check("maxComputeWorkGroupCountY", y, 1);
    check("maxComputeWorkGroupCountZ", z, 2);
    next(commands, x, y, z);
}

VkResult forward(Tag<CreatePipelineLayout>, DeviceState& device, PFN_vkCreatePipelineLayout next,
                 VkDevice handle, const VkPipelineLayoutCreateInfo* info,
                 const VkAllocationCallbacks* callbacks, VkPipelineLayout* out) {
    const auto script = currentScript();
    const std::uint64_t most = limitOr(*script, "maxPushConstantsSize", device.limits.maxPushConstantsSize);
    for (std::uint32_t i = 0; i < info->pushConstantRangeCount; ++i) {
        const VkPushConstantRange& range = info->pPushConstantRanges[i];
        if (range.offset + range.size > most)
            violation(above("maxPushConstantsSize", range.offset + range.size, most));
    }
    const std::uint64_t sets =
        limitOr(*script, "maxBoundDescriptorSets", device.limits.maxBoundDescriptorSets);
    if (info->setLayoutCount > sets) violation(above("maxBoundDescriptorSets", info->setLayoutCount, sets));
    return next(handle, info, callbacks, out);
}

VkResult forward(Tag<CreateComputePipelines>, DeviceState&, PFN_vkCreateComputePipelines next,
                 VkDevice handle, VkPipelineCache cache, std::uint32_t count,
                 const VkComputePipelineCreateInfo* infos, const VkAllocationCallbacks* callbacks,
                 VkPipeline* out) {
    const VkResult result = next(handle, cache, count, infos, callbacks, out);
    record().objects.fetch_add(
        std::count_if(out, out + count, [](VkPipeline one) { return one != VK_NULL_HANDLE; }));
    return result;
}

VkResult forward(Tag<QueueSubmit>, DeviceState& device, PFN_vkQueueSubmit next, VkQueue queue,
                 std::uint32_t count, const VkSubmitInfo* infos, VkFence fence) {
    return device.hung ? VK_SUCCESS : next(queue, count, infos, fence);
}

VkResult forward(Tag<WaitForFences>, DeviceState& device, PFN_vkWaitForFences next, VkDevice handle,
                 std::uint32_t count, const VkFence* fences, VkBool32 all, std::uint64_t timeout) {
    return device.hung ? hangFor(device, timeout) : next(handle, count, fences, all, timeout);
}

VkResult forward(Tag<GetFenceStatus>, DeviceState& device, PFN_vkGetFenceStatus next, VkDevice handle,
                 VkFence fence) {
    return device.hung ? VK_NOT_READY : next(handle, fence);
}

VkResult forward(Tag<QueueWaitIdle>, DeviceState& device, PFN_vkQueueWaitIdle next, VkQueue queue) {
    return device.hung ? hangFor(device, ~std::uint64_t{0}) : next(queue);
}

VkResult forward(Tag<DeviceWaitIdle>, DeviceState& device, PFN_vkDeviceWaitIdle next, VkDevice handle) {
    return device.hung ? hangFor(device, ~std::uint64_t{0}) : next(handle);
}

void forward(Tag<DestroyDevice>, DeviceState& device, PFN_vkDestroyDevice next, VkDevice handle,
             const VkAllocationCallbacks* callbacks) {
    {
        const std::lock_guard heaps(device.instance->memory);
        for (const auto& [memory, known] : device.allocations)
            device.instance->used[known.heap] -= known.bytes;
    }
    removeDevice(handle);
    next(handle, callbacks);
}

template <class First, class... Others>
bool isNull(First first, Others...) {
    if constexpr (std::is_pointer_v<First> || std::is_integral_v<First>) return first == First{};
    return false;
}

/// A lost device computes no more. The one behind us does, and would read what the program now destroys.
void settle(DeviceState& device) {
    const auto wait =
        reinterpret_cast<PFN_vkDeviceWaitIdle>(device.next[static_cast<std::size_t>(DeviceWaitIdle)]);
    if (!device.hung && wait != nullptr) wait(device.handle);
}

template <FaultFunction function, class Function>
struct Hook;

template <FaultFunction function, class Return, class First, class... Others>
struct Hook<function, Return(VKAPI_PTR*)(First, Others...)> {
    using Function = Return(VKAPI_PTR*)(First, Others...);

    static Return VKAPI_CALL call(First first, Others... others) {
        constexpr auto kIndex = static_cast<std::size_t>(function);
        if constexpr (kObjects[kIndex] < 0) {
            // To destroy nothing is allowed, and does nothing.
            if (isNull(others...)) return;
        }
        // Keeps the state until the call is over, that of DestroyDevice too.
        const std::shared_ptr<DeviceState> device = deviceOf(first);
        const Verdict verdict = judge(function, device.get());
        const auto next = reinterpret_cast<Function>(device->next[kIndex]);
        if constexpr (std::is_same_v<Return, VkResult>) {
            if (verdict.answers) {
                if (verdict.result == VK_ERROR_DEVICE_LOST) settle(*device);
                return verdict.result;
            }
            if (verdict.skip) return VK_SUCCESS;
            const VkResult result = forward(Tag<function>(), *device, next, first, others...);
            if (result == VK_SUCCESS) record().objects.fetch_add(kObjects[kIndex]);
            return result;
        } else if constexpr (std::is_void_v<Return>) {
            if (verdict.skip) return;
            forward(Tag<function>(), *device, next, first, others...);
            record().objects.fetch_add(kObjects[kIndex]);
        } else {
            return forward(Tag<function>(), *device, next, first, others...);
        }
    }
};

struct Named {
    std::string_view name;
    FaultFunction function;
    PFN_vkVoidFunction ours;
};

const Named kOurs[] = {
#define LOADER_FAULT_INSTANCE(name)
#define LOADER_FAULT_DEVICE(name, objects, loses) \
    {"vk" #name, name, reinterpret_cast<PFN_vkVoidFunction>(&Hook<name, PFN_vk##name>::call)},
#include "tests/support/vulkan_faults/fault_functions.inc"
};

}  // namespace

void findNext(DeviceState& device) {
    for (const Named& one : kOurs)
        device.next[static_cast<std::size_t>(one.function)] =
            device.nextProcAddr(device.handle, one.name.data());
}

PFN_vkVoidFunction deviceFunction(std::string_view name) {
    const auto found =
        std::find_if(std::begin(kOurs), std::end(kOurs), [&](const Named& one) { return one.name == name; });
    return found == std::end(kOurs) ? nullptr : found->ours;
}

}  // namespace loader::test
