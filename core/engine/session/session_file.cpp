// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#include "core/engine/session/session_file.h"

#include <bit>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/engine/base/checked.h"

namespace loader::session {

namespace {

constexpr std::string_view kMagic = "GGUFSESS";
constexpr std::uint32_t kVersion = 1;
// Offsets of the header; docs/formats/session-file.md has the same table.
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kFlagsAt = 12;
constexpr std::size_t kModelAt = 16;
constexpr std::size_t kChecksumAt = 48;
constexpr std::size_t kSeedAt = 56;
constexpr std::size_t kSequenceAt = 64;
constexpr std::size_t kReservedAt = 68;
constexpr std::size_t kMirostatAt = 72;
constexpr std::size_t kTokenCountAt = 80;
constexpr std::size_t kCacheBytesAt = 88;
constexpr std::size_t kHeaderBytes = 96;
/// The cache starts at a multiple of this, so that a mapped file can be used in place.
constexpr std::uint64_t kCacheAlignment = 64;

/// Little endian on every machine.
template <class Integer>
void store(std::span<std::byte> bytes, std::size_t at, Integer value) {
    for (std::size_t i = 0; i < sizeof(Integer); ++i)
        bytes[at + i] = static_cast<std::byte>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xFFU);
}

template <class Integer>
Integer load(std::span<const std::byte> bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i)
        value |= static_cast<std::uint64_t>(bytes[at + i]) << (8 * i);
    return static_cast<Integer>(value);
}

/// Eight bytes a step. Every step is a bijection of the state for a given word and of the word for a given
/// state, so a change confined to one word is always noticed. It finds damage; it is no signature.
class Checksum {
public:
    void add(std::span<const std::byte> bytes) {
        std::size_t at = 0;
        for (; at + 8 <= bytes.size(); at += 8)
            mix(load<std::uint64_t>(bytes, at));
        std::uint64_t rest = 0;
        for (std::size_t i = at; i < bytes.size(); ++i)
            rest |= static_cast<std::uint64_t>(bytes[i]) << (8 * (i - at));
        mix(rest);
        mix(bytes.size());
    }
    std::uint64_t value() const { return m_state ^ (m_state >> 32U); }

private:
    /// The multiplier and the start are the prime and the offset basis of FNV-1a (Fowler, Noll & Vo); the
    /// rotation lets the upper bits of a word reach the lower ones, which a product alone does not.
    void mix(std::uint64_t word) { m_state = std::rotl((m_state ^ word) * 0x100000001B3ULL, 29); }
    std::uint64_t m_state = 0xCBF29CE484222325ULL;
};

std::uint64_t checksumOf(std::span<const std::byte> bytes) {
    Checksum checksum;
    checksum.add(bytes.first(kChecksumAt));
    checksum.add(bytes.subspan(kSeedAt));
    return checksum.value();
}

Error unusable(std::string reason) {
    return Error(Errc::F807, {std::move(reason)});
}

struct Layout {
    std::size_t cacheAt = 0;
    std::size_t totalBytes = 0;
};

std::optional<Layout> layoutOf(std::uint64_t tokenCount, std::uint64_t cacheBytes) {
    const auto tokenBytes = checkedMul<std::uint64_t>(tokenCount, sizeof(TokenId));
    if (!tokenBytes) return std::nullopt;
    const auto tokensEnd = checkedAdd<std::uint64_t>(*tokenBytes, kHeaderBytes);
    if (!tokensEnd) return std::nullopt;
    const auto cacheAt = checkedRoundUp<std::uint64_t>(*tokensEnd, kCacheAlignment);
    if (!cacheAt) return std::nullopt;
    const auto total = checkedAdd<std::uint64_t>(*cacheAt, cacheBytes);
    if (!total || !checkedCast<std::size_t>(*total)) return std::nullopt;
    return Layout{static_cast<std::size_t>(*cacheAt), static_cast<std::size_t>(*total)};
}

Status checkHeader(std::span<const std::byte> bytes, const SessionExpectation& expectation) {
    if (bytes.size() < kHeaderBytes) return unusable("it is too short");
    if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
        return unusable("it is no session file");
    const auto version = load<std::uint32_t>(bytes, kVersionAt);
    if (version != kVersion) return unusable("it has version " + std::to_string(version));
    if (load<std::uint32_t>(bytes, kFlagsAt) != 0 || load<std::uint32_t>(bytes, kReservedAt) != 0)
        return unusable("it uses something this version does not know");
    if (std::memcmp(bytes.data() + kModelAt, expectation.model.data(), expectation.model.size()) != 0)
        return unusable("it belongs to another model");
    return {};
}

}  // namespace

Result<std::vector<std::byte>> encodeSession(const SessionState& state) {
    const std::optional<Layout> layout = layoutOf(state.tokens.size(), state.cache.size());
    std::vector<std::byte> bytes;
    if (!layout || layout->totalBytes > bytes.max_size())
        return Error(Errc::R901, {"More than can be counted"});
    try {
        bytes.resize(layout->totalBytes);
    } catch (const std::bad_alloc&) {
        return Error(Errc::R901, {std::to_string(layout->totalBytes) + " bytes"});
    }
    std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
    store(bytes, kVersionAt, kVersion);
    std::memcpy(bytes.data() + kModelAt, state.model.data(), state.model.size());
    store(bytes, kSeedAt, state.seed);
    store(bytes, kSequenceAt, state.sequence);
    store(bytes, kMirostatAt, std::bit_cast<std::uint64_t>(state.sampler.mirostatMu));
    store(bytes, kTokenCountAt, static_cast<std::uint64_t>(state.tokens.size()));
    store(bytes, kCacheBytesAt, static_cast<std::uint64_t>(state.cache.size()));
    for (std::size_t i = 0; i < state.tokens.size(); ++i)
        store(bytes, kHeaderBytes + i * sizeof(TokenId), static_cast<std::uint32_t>(state.tokens[i]));
    if (!state.cache.empty())
        std::memcpy(bytes.data() + layout->cacheAt, state.cache.data(), state.cache.size());
    store(bytes, kChecksumAt, checksumOf(bytes));
    return bytes;
}

Result<SessionState> decodeSession(std::span<const std::byte> bytes, const SessionExpectation& expectation) {
    LOADER_CHECK(checkHeader(bytes, expectation));
    const auto tokenCount = load<std::uint64_t>(bytes, kTokenCountAt);
    const auto cacheBytes = load<std::uint64_t>(bytes, kCacheBytesAt);
    const std::optional<Layout> layout = layoutOf(tokenCount, cacheBytes);
    // The exact size bounds both counts before anything is allocated for them.
    if (!layout || layout->totalBytes != bytes.size()) return unusable("its size does not fit its header");
    if (load<std::uint64_t>(bytes, kChecksumAt) != checksumOf(bytes))
        return unusable("its checksum is wrong");

    SessionState state;
    state.model = expectation.model;
    state.seed = load<std::uint64_t>(bytes, kSeedAt);
    state.sequence = load<std::uint32_t>(bytes, kSequenceAt);
    state.sampler.mirostatMu = std::bit_cast<double>(load<std::uint64_t>(bytes, kMirostatAt));
    state.tokens.reserve(static_cast<std::size_t>(tokenCount));
    for (std::size_t i = 0; i < static_cast<std::size_t>(tokenCount); ++i) {
        const auto id = load<std::uint32_t>(bytes, kHeaderBytes + i * sizeof(TokenId));
        if (id >= expectation.vocabularySize) return unusable("a token is outside the vocabulary");
        state.tokens.push_back(static_cast<TokenId>(id));
    }
    state.cache = bytes.subspan(layout->cacheAt);
    return state;
}

}  // namespace loader::session
