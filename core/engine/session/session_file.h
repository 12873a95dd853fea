// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A session's state as bytes: token history, sampler state and the back end's own cache, for one model only.
// Layout: docs/formats/session-file.md. The bytes are hostile until the checksum and every bound are
// verified.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/base/token.h"
#include "core/engine/sampling/sampler.h"

namespace loader::session {

/// Tells models apart; whoever loads the model computes it from header and tensor table.
using ModelFingerprint = std::array<std::uint8_t, 32>;

struct SessionState {
    ModelFingerprint model{};
    std::uint64_t seed = 0;
    std::uint32_t sequence = 0;
    sampling::SamplerState sampler;
    std::vector<TokenId> tokens;
    /// What the back end saved; empty where the history is to be evaluated again. After decodeSession() a
    /// view into the bytes that were read.
    std::span<const std::byte> cache;
};

/// What the model that is loaded allows.
struct SessionExpectation {
    ModelFingerprint model{};
    std::uint32_t vocabularySize = 0;
};

/// @errors R901 where the size cannot be counted or had
Result<std::vector<std::byte>> encodeSession(const SessionState& state);

/// @errors F807 for damage of any kind, another version, another model or ids outside the vocabulary
Result<SessionState> decodeSession(std::span<const std::byte> bytes, const SessionExpectation& expectation);

}  // namespace loader::session
