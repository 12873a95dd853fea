// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Vulkan's C++ interface as this back end uses it: no exceptions, no assertion on what a driver answers, and
// every function found at run time through a dispatcher that is passed along.
#pragma once

#define VK_NO_PROTOTYPES
#define VULKAN_HPP_NO_EXCEPTIONS
#define VULKAN_HPP_NO_SPACESHIP_OPERATOR
#define VULKAN_HPP_DISPATCH_LOADER_DYNAMIC 1
#define VULKAN_HPP_ENABLE_DYNAMIC_LOADER_TOOL 0
// A failed call is a result that we read, not a fault of the program.
#define VULKAN_HPP_ASSERT_ON_RESULT(condition) static_cast<void>(0)
#include <vulkan/vulkan.hpp>

namespace loader::vulkan {

// The type's namespace differs from version to version of the header.
using Dispatch = VULKAN_HPP_DEFAULT_DISPATCHER_TYPE;
template <class Handle>
using Unique = vk::UniqueHandle<Handle, Dispatch>;

}  // namespace loader::vulkan
