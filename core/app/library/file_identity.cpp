// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/file_identity.h"

#include <algorithm>
#include <chrono>

namespace loader::app {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
/// The clock of a file system moves in ticks of up to 10 ms; one without fractions counts seconds, or two.
constexpr std::int64_t kTick = 20'000'000;
constexpr std::int64_t kCoarseTick = 2 * kSecond;

}  // namespace

bool isFresh(const FileIdentity& identity, std::int64_t now) {
    const std::int64_t last = std::max(identity.modified, identity.changed);
    return last > now - (last % kSecond == 0 ? kCoarseTick : kTick);
}

std::int64_t nowNanoseconds() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace loader::app
