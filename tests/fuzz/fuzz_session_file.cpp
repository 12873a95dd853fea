// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Session files: the bytes as they are, and a state made of them that is written, damaged and read. The
// oracle: F807 or exactly the state that was written; whatever decodes, encodes to the same bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/engine/session/session_file.h"

using namespace loader;
using namespace loader::session;

namespace {

void require(bool holds) {
    if (!holds) __builtin_trap();
}

void decodeRaw(std::span<const std::byte> bytes) {
    // The model is the file's own, so that the check against it does not end every run.
    SessionExpectation expectation{{}, 32000};
    if (bytes.size() >= 48)
        std::memcpy(expectation.model.data(), bytes.data() + 16, expectation.model.size());
    const Result<SessionState> state = decodeSession(bytes, expectation);
    if (!state.ok()) {
        require(state.error().code() == Errc::F807);
        return;
    }
    for (const TokenId token : state->tokens)
        require(token >= 0 && token < 32000);
    const auto again = encodeSession(*state);
    // Padding between tokens and cache is the one thing a decoded state does not carry.
    require(again.ok() && again->size() == bytes.size());
}

void writeDamageRead(const std::uint8_t* data, std::size_t size) {
    if (size < 16) return;
    SessionState state;
    std::memcpy(&state.seed, data, 8);
    const std::size_t tokens = std::min<std::size_t>(data[8], (size - 16) / 2);
    for (std::size_t i = 0; i < tokens; ++i)
        state.tokens.push_back(static_cast<TokenId>(data[16 + 2 * i]) * 256 + data[17 + 2 * i] -
                               (data[9] == 1 ? 1 : 0));
    const auto rest = std::span<const std::uint8_t>(data, size).subspan(16 + 2 * tokens);
    state.cache = std::as_bytes(rest);
    Result<std::vector<std::byte>> bytes = encodeSession(state);
    require(bytes.ok());
    const SessionExpectation expectation{{}, 65536};
    const bool idsFit =
        std::all_of(state.tokens.begin(), state.tokens.end(), [](TokenId id) { return id >= 0; });
    const Result<SessionState> read = decodeSession(*bytes, expectation);
    require(read.ok() == idsFit);
    if (read.ok()) {
        require(read->seed == state.seed && read->tokens == state.tokens);
        require(std::equal(read->cache.begin(), read->cache.end(), state.cache.begin(), state.cache.end()));
    }
    const std::size_t place = (data[10] * 65536U + data[11] * 256U + data[12]) % bytes->size();
    const std::size_t cut = data[13] % 2U == 0 ? bytes->size() : place;
    if (data[14] == 0 && cut == bytes->size()) return;
    std::vector<std::byte> damaged(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(cut));
    if (cut == bytes->size()) damaged[place] ^= static_cast<std::byte>(data[14]);
    const Result<SessionState> refused = decodeSession(damaged, expectation);
    require(!refused.ok() && refused.error().code() == Errc::F807);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    decodeRaw(std::as_bytes(std::span<const std::uint8_t>(data, size)));
    writeDamageRead(data, size);
    return 0;
}
