// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a model file may contain at most. Checked before memory is asked for; far above what real files hold.
// The same table is in docs/formats/gguf.md.
#pragma once

#include <cstdint>

namespace loader::gguf {

inline constexpr std::uint64_t kKibibyte = 1024;
inline constexpr std::uint64_t kMebibyte = 1024 * kKibibyte;

inline constexpr std::uint64_t kMaxMetadataEntries = 100'000;
inline constexpr std::uint64_t kMaxTensors = 100'000;
inline constexpr std::uint64_t kMaxKeyBytes = 65'535;
inline constexpr std::uint64_t kMaxTensorNameBytes = 64;
inline constexpr std::uint64_t kMaxTextBytes = 16 * kMebibyte;
/// Judged by the template engine (J412), not by the container.
inline constexpr std::uint64_t kMaxChatTemplateBytes = 1 * kMebibyte;
/// Judged by the vocabulary (T202), not by the container.
inline constexpr std::uint64_t kMaxTokenTextBytes = 64 * kKibibyte;
inline constexpr std::uint64_t kMaxArrayElements = 16'777'216;
/// From the start of the file to the end of the last metadata entry.
inline constexpr std::uint64_t kMaxMetadataBytes = 512 * kMebibyte;
inline constexpr std::uint64_t kDefaultAlignment = 32;
inline constexpr std::uint64_t kMinAlignment = 8;
inline constexpr std::uint64_t kMaxAlignment = 65'536;
inline constexpr std::uint32_t kMaxRank = 4;
inline constexpr std::uint64_t kMaxDimension = std::uint64_t(1) << 40;
/// Parts of one model; every part is an open file.
inline constexpr std::uint64_t kMaxShards = 1'024;
/// Warnings kept of one file; the rest is dropped because a hostile file could make one per entry.
inline constexpr std::uint64_t kMaxWarnings = 32;

inline constexpr std::uint32_t kOldestVersion = 1;
inline constexpr std::uint32_t kNewestVersion = 3;

}  // namespace loader::gguf
