// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The file: a head of 96 bytes, numbers little-endian, then the driver's data to the end.
//   0 magic (8)         8 version (4)         12 vendor (4)        16 device model (4)   20 driver version
//   (4)
//  24 device UUID (16)  40 format UUID (16)   56 shaders (8)       64 length (8)         72 checksum of data
//  (8) 80 checksum of the head so far (8)         88 nought (8)

#include "backends/vulkan/device/pipeline_cache_file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "backends/vulkan/shaders/shader_list.h"
#include "core/engine/base/atomic_file.h"
#include "core/engine/base/mapped_file.h"

namespace loader::vulkan {
namespace {

constexpr std::uint64_t kMagic = 0x3153455049504C47;  // "GLPIPES1"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeadBytes = 96;
constexpr std::size_t kHeadSumAt = 80;
/// Drivers keep some ten kilobytes for each pipeline.
constexpr std::uint64_t kMostBytes = 64 << 20;

using Head = std::array<std::uint8_t, kHeadBytes>;

/// FNV-1a: against accidents, not against somebody who can write into the user's folders.
std::uint64_t checksum(std::span<const std::uint8_t> data, std::uint64_t sum = 0xCBF29CE484222325) {
    for (const std::uint8_t byte : data)
        sum = (sum ^ byte) * 0x100000001B3;
    return sum;
}

template <class T>
void put(Head& head, std::size_t at, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        head[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

/// Two heads are equal when owner, length and content are.
Head headOf(const CacheOwner& owner, std::span<const std::uint8_t> data) {
    Head head{};
    put(head, 0, kMagic);
    put(head, 8, kVersion);
    put(head, 12, owner.vendor);
    put(head, 16, owner.model);
    put(head, 20, owner.driverVersion);
    std::copy(std::begin(owner.device), std::end(owner.device), head.begin() + 24);
    std::copy(std::begin(owner.format), std::end(owner.format), head.begin() + 40);
    put(head, 56, owner.shaders);
    put(head, 64, std::uint64_t{data.size()});
    put(head, 72, checksum(data));
    put(head, kHeadSumAt, checksum(std::span(head).first(kHeadSumAt)));
    return head;
}

std::uint64_t shaderSum() {
    std::uint64_t sum = checksum({});
    for (const Shader& shader : allShaders()) {
        const auto bytes = std::as_bytes(shader.code);
        sum = checksum({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, sum);
    }
    return sum;
}

std::span<std::byte> bytesOf(std::span<std::uint8_t> data) {
    return std::as_writable_bytes(data);
}

}  // namespace

CacheOwner cacheOwner(const DeviceData& data) {
    CacheOwner owner;
    std::copy(std::begin(data.id.deviceUUID), std::end(data.id.deviceUUID), owner.device);
    std::copy(std::begin(data.properties.pipelineCacheUUID), std::end(data.properties.pipelineCacheUUID),
              owner.format);
    owner.vendor = data.properties.vendorID;
    owner.model = data.properties.deviceID;
    owner.driverVersion = data.properties.driverVersion;
    owner.shaders = shaderSum();
    return owner;
}

bool isOfDriver(std::span<const std::uint8_t> data, const CacheOwner& owner) {
    constexpr std::uint32_t kDriverHeadBytes = 32;
    if (data.size() < kDriverHeadBytes) return false;
    const auto word = [data](std::size_t at) {
        return std::uint32_t{data[at]} | std::uint32_t{data[at + 1]} << 8 |
               std::uint32_t{data[at + 2]} << 16 | std::uint32_t{data[at + 3]} << 24;
    };
    return word(0) >= kDriverHeadBytes && word(0) <= data.size() &&
           word(4) == VK_PIPELINE_CACHE_HEADER_VERSION_ONE && word(8) == owner.vendor &&
           word(12) == owner.model &&
           std::equal(std::begin(owner.format), std::end(owner.format), data.begin() + 16);
}

std::vector<std::uint8_t> readCacheFile(const std::string& path, const CacheOwner& owner) {
    const auto file = FileSource::open(path);
    if (!file.ok() || (*file)->size() <= kHeadBytes || (*file)->size() > kHeadBytes + kMostBytes) return {};
    Head head{};
    std::vector<std::uint8_t> data(static_cast<std::size_t>((*file)->size()) - kHeadBytes);
    if (!(*file)->read(0, bytesOf(head)).ok() || !(*file)->read(kHeadBytes, bytesOf(data)).ok()) return {};
    if (head != headOf(owner, data) || !isOfDriver(data, owner)) return {};
    return data;
}

Status writeCacheFile(const std::string& path, const CacheOwner& owner, std::span<const std::uint8_t> data) {
    if (data.size() > kMostBytes)
        return Error(Errc::B702, {"vulkan", "its finished pipelines are too large to keep"});
    LOADER_TRY(const auto file, AtomicFile::create(path));
    const Head head = headOf(owner, data);
    LOADER_CHECK(file->append(std::as_bytes(std::span(head))));
    LOADER_CHECK(file->append(std::as_bytes(data)));
    return file->commit();
}

}  // namespace loader::vulkan
