// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/random_blocks.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/engine/base/random.h"
#include "core/engine/quant/dequantize.h"

namespace loader::host {
namespace {

constexpr std::uint32_t kSeed = 2026;
/// Blocks that are found by trial; they differ in their scales.
constexpr std::size_t kPatterns = 4;

}  // namespace

std::byte RandomBytes::next() {
    if (m_left == 0) {
        const auto low = static_cast<std::uint32_t>(m_stream);
        const auto high = static_cast<std::uint32_t>(m_stream >> 32U);
        m_block = philox4x32({m_count++, low, high, 1}, {kSeed, 0});
        m_left = 16;
    }
    const unsigned at = 16 - m_left--;
    return static_cast<std::byte>((m_block[at / 4] >> (8U * (at % 4))) & 0xFFU);
}

float randomFloat(std::uint64_t stream, std::uint64_t index) {
    const auto words =
        philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32U),
                    static_cast<std::uint32_t>(stream), 2},
                   {kSeed, 0});
    // A sum of four uniform numbers.
    double sum = 0.0;
    for (const std::uint32_t word : words)
        sum += static_cast<double>(word) * 0x1.0p-32;
    return static_cast<float>((sum - 2.0) * 1.7);
}

Result<RandomBlocks> RandomBlocks::make(quant::TensorType type, float size) {
    RandomBlocks blocks(quant::typeInfo(type), size);
    RandomBytes random(static_cast<std::uint64_t>(type) + 1000);
    for (std::size_t i = 0; i < kPatterns; ++i)
        LOADER_CHECK(blocks.findPattern(random));
    return blocks;
}

/// Of about the size that is wanted, and not all on one side of zero: otherwise a model of such blocks would
/// amplify what devices round differently.
bool RandomBlocks::isUsable(std::span<const std::byte> block) const {
    std::array<float, 256> values{};
    const std::size_t count = m_info->blockValues;
    if (count > values.size()) return false;
    quant::dequantizeRow(m_info->type, block.data(), values.data(), count);
    double sum = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
        sum += values[i];
        squares += double{values[i]} * values[i];
    }
    const double numbers = static_cast<double>(count);
    const double root = std::sqrt(squares / numbers);
    // Not a number fails every comparison.
    return root > 0.5 * m_size && root < 1.5 * m_size && std::abs(sum / numbers) < 0.5 * root;
}

Status RandomBlocks::findPattern(RandomBytes& random) {
    constexpr int kAttempts = 100'000;
    Pattern pattern;
    pattern.block.resize(m_info->blockBytes);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        std::generate(pattern.block.begin(), pattern.block.end(), [&random] { return random.next(); });
        if (!isUsable(pattern.block)) continue;
        findFreeBytes(pattern, random);
        m_patterns.push_back(std::move(pattern));
        return {};
    }
    return Error(Errc::X003, {"no random block of " + std::string(m_info->name) + " is usable"});
}

void RandomBlocks::findFreeBytes(Pattern& pattern, RandomBytes& random) const {
    constexpr int kTries = 12;
    std::vector<std::byte> changed = pattern.block;
    for (std::size_t i = 0; i < changed.size(); ++i) {
        bool stays = true;
        for (int attempt = 0; attempt < kTries && stays; ++attempt) {
            changed[i] = random.next();
            stays = isUsable(changed);
        }
        changed[i] = pattern.block[i];
        pattern.free.push_back(stays);
    }
}

std::vector<std::byte> RandomBlocks::rows(std::size_t values, std::uint64_t stream) const {
    constexpr int kTries = 20;
    RandomBytes random(stream);
    std::vector<std::byte> rows;
    rows.reserve(values / m_info->blockValues * m_info->blockBytes);
    std::vector<std::byte> block;
    for (std::size_t i = 0; i < values / m_info->blockValues; ++i) {
        const Pattern& pattern = m_patterns[static_cast<std::size_t>(random.next()) % m_patterns.size()];
        block = pattern.block;
        for (int attempt = 0; attempt < kTries; ++attempt) {
            for (std::size_t at = 0; at < block.size(); ++at)
                block[at] = pattern.free[at] ? random.next() : pattern.block[at];
            if (isUsable(block)) break;
            block = pattern.block;
        }
        rows.insert(rows.end(), block.begin(), block.end());
    }
    return rows;
}

}  // namespace loader::host
