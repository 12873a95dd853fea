// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The names under which a back end tells about a device beyond DeviceFacts, and which the application asks
// for. Values are text: numbers in decimal, yes or no, several numbers separated by commas. A back end may
// tell more.
#pragma once

#include <cstdint>
#include <string_view>

namespace loader::device_properties {

// Who made it, and what drives it.
inline constexpr std::string_view kVendorId = "vendor_id";
inline constexpr std::string_view kVendor = "vendor";
inline constexpr std::string_view kDeviceId = "device_id";
/// discrete, integrated, virtual, cpu or other, as the driver says.
inline constexpr std::string_view kDeviceType = "device_type";
inline constexpr std::string_view kDriver = "driver";
inline constexpr std::string_view kDriverInfo = "driver_info";
inline constexpr std::string_view kDriverVersion = "driver_version";
inline constexpr std::string_view kApiVersion = "api_version";
/// One sentence where the device cannot be used whatever the model.
inline constexpr std::string_view kRefusal = "refusal";

/// "heaps" counts them; of each there is heap.N.bytes, heap.N.device_local and, where the driver tells,
/// heap.N.budget_bytes (what this process may have) and heap.N.used_bytes. @unit bytes
inline constexpr std::string_view kHeaps = "heaps";
inline constexpr std::string_view kHeapPrefix = "heap.";
inline constexpr std::string_view kHeapBytes = ".bytes";
inline constexpr std::string_view kHeapLocal = ".device_local";
inline constexpr std::string_view kHeapBudget = ".budget_bytes";
inline constexpr std::string_view kHeapUsed = ".used_bytes";

// Limits. @unit bytes where the name says so
inline constexpr std::string_view kMaxAllocationBytes = "max_allocation_bytes";
inline constexpr std::string_view kMaxBufferBytes = "max_buffer_bytes";
inline constexpr std::string_view kMaxStorageRangeBytes = "max_storage_range_bytes";
inline constexpr std::string_view kMaxAllocations = "max_allocations";
inline constexpr std::string_view kMaxPushConstantBytes = "max_push_constant_bytes";
inline constexpr std::string_view kSharedMemoryBytes = "shared_memory_bytes";
inline constexpr std::string_view kMaxInvocations = "max_work_group_invocations";
inline constexpr std::string_view kMaxGroupSize = "max_work_group_size";
inline constexpr std::string_view kMaxGroupCount = "max_work_group_count";
inline constexpr std::string_view kMaxStorageBuffers = "max_storage_buffers_per_stage";
inline constexpr std::string_view kStorageAlignmentBytes = "storage_alignment_bytes";
inline constexpr std::string_view kAtomBytes = "non_coherent_atom_bytes";
inline constexpr std::string_view kSubgroupSize = "subgroup_size";
inline constexpr std::string_view kMinSubgroupSize = "min_subgroup_size";
inline constexpr std::string_view kMaxSubgroupSize = "max_subgroup_size";
inline constexpr std::string_view kSubgroupOperations = "subgroup_operations";
inline constexpr std::string_view kComputeQueues = "compute_queues";
inline constexpr std::string_view kTransferQueues = "transfer_only_queues";

// Features: yes or no.
inline constexpr std::string_view kHalfFloat = "fp16";
inline constexpr std::string_view kInt8 = "int8";
inline constexpr std::string_view kStorage16 = "storage_16bit";
inline constexpr std::string_view kStorage8 = "storage_8bit";
inline constexpr std::string_view kIntegerDot = "integer_dot";
inline constexpr std::string_view kIntegerDotFast = "integer_dot_accelerated";
inline constexpr std::string_view kCooperativeMatrix = "cooperative_matrix";
inline constexpr std::string_view kBufferAddress = "buffer_device_address";
inline constexpr std::string_view kTimelineSemaphore = "timeline_semaphore";
inline constexpr std::string_view kSubgroupSizeControl = "subgroup_size_control";
inline constexpr std::string_view kMemoryBudget = "memory_budget";
inline constexpr std::string_view kPushDescriptor = "push_descriptor";
inline constexpr std::string_view kHostMemoryImport = "external_memory_host";
inline constexpr std::string_view kDeviceFault = "device_fault";
inline constexpr std::string_view kHostVisibleLocal = "host_visible_device_memory";

/// "NVIDIA" for 0x10DE; empty for a vendor that is not in the list.
/// @source PCI vendor ids; VkVendorId of the Vulkan registry
std::string_view vendorName(std::uint32_t vendorId);

}  // namespace loader::device_properties
