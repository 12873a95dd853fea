// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/device_properties.h"

namespace loader::device_properties {
namespace {

struct Vendor {
    std::uint32_t id;
    std::string_view name;
};

constexpr Vendor kVendors[] = {
    {0x0014, "Loongson"}, {0x1002, "AMD"},           {0x1010, "Imagination"}, {0x1013, "Cirrus Logic"},
    {0x102B, "Matrox"},   {0x106B, "Apple"},         {0x10DE, "NVIDIA"},      {0x1234, "QEMU"},
    {0x13B5, "Arm"},      {0x1414, "Microsoft"},     {0x144D, "Samsung"},     {0x14E4, "Broadcom"},
    {0x15AD, "VMware"},   {0x1A03, "ASPEED"},        {0x1AE0, "Google"},      {0x1AF4, "Red Hat (virtio)"},
    {0x1D17, "Zhaoxin"},  {0x1ED5, "Moore Threads"}, {0x5143, "Qualcomm"},    {0x8086, "Intel"},
    {0x10001, "Vivante"}, {0x10002, "VeriSilicon"},  {0x10003, "Kazan"},      {0x10004, "Codeplay"},
    {0x10005, "Mesa"},    {0x10006, "PoCL"},         {0x10007, "Mobileye"},
};

}  // namespace

std::string_view vendorName(std::uint32_t vendorId) {
    for (const Vendor& vendor : kVendors) {
        if (vendor.id == vendorId) return vendor.name;
    }
    return {};
}

}  // namespace loader::device_properties
