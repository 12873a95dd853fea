// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the scripted back end says and where it fails. As a struct for tests that link it; as text for those
// that can only name a device:
//   script:answer=5,6,7;end=2;token-ms=20;fail=3:B704
// Every entry of the text is a field of FakeScript with the name in the comment beside it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/base/token.h"

namespace loader::fake {

/// One call of forward(), counted from 1 over all sessions of a model; 0 is none. A long batch is one call.
using CallNumber = std::uint64_t;

struct FakeScript {
    /// answer=5,6,7: the ids that are predicted one after the other. Which is next follows from the tokens
    /// of the sequence alone, the longest beginning of the answer that they end with, so that an answer goes
    /// on after a restart from its history.
    std::vector<TokenId> answer{0};
    /// end=2: predicted when the answer is over; without it the answer begins again.
    TokenId end = kNoToken;

    /// token-ms=20: time that each item of a batch takes. @unit milliseconds
    double tokenMilliseconds = 0.0;
    /// load-ms=500: time that loading takes, with progress. @unit milliseconds
    double loadMilliseconds = 0.0;
    /// bytes=1000000: what plan() says that the weights need; 0 is what they do need.
    std::uint64_t bytes = 0;

    /// gpu=1: the device says that it is a graphics processor.
    bool gpu = false;
    /// memory-mib=512: the memory, all of it free, that the device says it has; 0 is not told.
    std::uint64_t memoryMib = 0;
    /// layers-max=4: load() fails with R901 when it is asked for more layers.
    std::optional<std::uint32_t> mostLayers;
    /// compute=1: tokens are not predicted from the answer but computed with the reference's loops, so that a
    /// faulty device can be told from one that is right.
    bool compute = false;
    /// checkpoint=16: truncate() goes back as recurrent state does, to a multiple of 16 tokens or to where
    /// the last call of forward() began; 0 is to any token.
    std::uint32_t checkpoint = 0;

    /// unsupported=REASON: plan() reports it and load() refuses.
    std::string unsupported;
    /// devices=B703: devices() fails so.
    std::optional<Errc> devicesError;
    /// load=R901: load() fails so.
    std::optional<Errc> loadError;
    /// session=R901: openSession() fails so.
    std::optional<Errc> sessionError;
    /// fail=3:B704: that call of forward() fails so. A lost device stays lost; anything else fails once.
    CallNumber failCall = 0;
    Errc failError = Errc::B703;
    /// hang=2: that call of forward() returns only once it is cancelled.
    CallNumber hangCall = 0;
    /// stuck=2: that call of forward() never returns and never looks up, as a device that hangs.
    CallNumber stuckCall = 0;
    /// crash=2: that call of forward() ends the process, as a faulty driver does.
    CallNumber crashCall = 0;

    /// wrong=1: every prediction is the id after the right one, every hidden row is turned by one number, so
    /// that a self-test must notice.
    bool wrong = false;
    /// nan=1: every logit is NaN, and every number of a hidden row that was computed.
    bool nan = false;
};

/// @param text without "script:" @errors X001 names the entry
Result<FakeScript> parseFakeScript(std::string_view text);

/// What follows the tokens of a sequence.
TokenId predict(const FakeScript& script, const std::vector<TokenId>& tokens);

}  // namespace loader::fake
