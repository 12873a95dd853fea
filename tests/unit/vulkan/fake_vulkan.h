// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the scripted Vulkan library can be told to do.
#pragma once

namespace loader::test {

enum class FakeVulkan : int {
    /// A software device, then an integrated GPU, then a discrete one, then one of Vulkan 1.0.
    Devices,
    OldLibrary,
    NoDriver,
    StartFails,
    NoDevice,
    ListFails,
    FunctionMissing,
    /// More devices at the second question than at the first.
    DeviceComes,
};

}  // namespace loader::test
