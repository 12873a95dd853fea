// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Floats to the int8 forms of kernels/activation.h, and to Q8_0 file blocks. Written against the vector
// vocabulary; every tier gives the same bits, because each step is either exact or one rounded operation.

/// Below this a block counts as zero: the largest integer divided by it would leave the range of float.
inline constexpr float kSmallestMagnitude = 0x1p-100f;

struct BlockScale {
    float scale;
    float inverse;
};

/// Scale that brings the largest magnitude of `count` values (a multiple of 32) to `largestInteger`.
inline BlockScale blockScale(const float* in, std::size_t count, float largestInteger) {
    Floats largest = zero();
    Floats poison = zero();
    for (std::size_t i = 0; i < count; i += kLanes) {
        const Floats x = load(in + i);
        largest = maximum(absolute(x), largest);
        poison = multiplyAdd(x, zero(), poison);  // 0, or no number once a value is not finite
    }
    const float poisoned = sumOf(poison);
    if (!(poisoned == 0.0f)) return {std::numeric_limits<float>::quiet_NaN(), 0.0f};
    const float magnitude = maximumOf(largest);
    if (magnitude < kSmallestMagnitude) return {0.0f, 0.0f};
    return {magnitude / largestInteger, largestInteger / magnitude};
}

/// Rounds 16 values to int8. @return their sum
inline std::int32_t quantize16(const float* in, float inverse, std::int8_t* out) {
    Floats total = zero();
    if (inverse == 0.0f) {
        std::memset(out, 0, 16);
        return 0;
    }
    LOADER_UNROLL
    for (std::size_t i = 0; i < 16; i += kLanes) {
        const Floats rounded = roundNearest(multiply(load(in + i), broadcast(inverse)));
        storeInt8(out + i, rounded);
        total = add(total, rounded);
    }
    return static_cast<std::int32_t>(sumOf(total));  // exact: at most 16 × 127
}

inline void quantizeBlock32(const float* in, std::size_t columns, std::byte* out) {
    const ActivationLayout layout = activationLayout(ActivationKind::Q8Block32, columns);
    auto* values = reinterpret_cast<std::int8_t*>(out);
    auto* scales = reinterpret_cast<float*>(out + layout.scales);
    auto* sums = reinterpret_cast<float*>(out + layout.sums);
    auto* offsets = reinterpret_cast<std::int32_t*>(out + layout.offsets32);
    for (std::size_t b = 0; b < columns / 32; ++b) {
        const BlockScale s = blockScale(in + b * 32, 32, 127.0f);
        const std::int32_t low = quantize16(in + b * 32, s.inverse, values + b * 32);
        const std::int32_t total = low + quantize16(in + b * 32 + 16, s.inverse, values + b * 32 + 16);
        scales[b] = s.scale;
        sums[b] = s.scale * static_cast<float>(total);
        offsets[b] = -128 * total;
    }
}

/// Rounds 32 values to 256 × high + low, high terms first. What is left of a value is 128 at most; the
/// kernels' products fit 16 bits only up to 127, so that one value in 256 is off by one step, not half a
/// step. @return the sum of what was stored
inline std::int32_t quantizeTerms(const float* in, float inverse, std::int8_t* out) {
    if (inverse == 0.0f) {
        std::memset(out, 0, 64);
        return 0;
    }
    Floats total = zero();
    LOADER_UNROLL
    for (std::size_t i = 0; i < 32; i += kLanes) {
        const Floats whole = roundNearest(multiply(load(in + i), broadcast(inverse)));
        const Floats high = roundNearest(multiply(whole, broadcast(1.0f / 256)));
        const Floats rest = multiplyAdd(high, broadcast(-256.0f), whole);  // exact: integers below 2^16
        const Floats low = minimum(maximum(rest, broadcast(-127.0f)), broadcast(127.0f));
        storeInt8(out + i, high);
        storeInt8(out + 32 + i, low);
        total = add(total, multiplyAdd(high, broadcast(256.0f), low));
    }
    return static_cast<std::int32_t>(sumOf(total));  // exact: at most 32 × 32639
}

inline void quantizePair32(const float* in, std::size_t columns, std::byte* out) {
    constexpr float kLargest = 127 * 256 + 127;
    const ActivationLayout layout = activationLayout(ActivationKind::Q8Pair32, columns);
    auto* values = reinterpret_cast<std::int8_t*>(out);
    auto* scales = reinterpret_cast<float*>(out + layout.scales);
    auto* offsets = reinterpret_cast<std::int32_t*>(out + layout.offsets32);
    for (std::size_t b = 0; b < columns / 32; ++b) {
        const BlockScale s = blockScale(in + b * 32, 32, kLargest);
        scales[b] = s.scale;
        offsets[b] = -128 * quantizeTerms(in + b * 32, s.inverse, values + b * 64);
    }
}

inline void quantizeInt16(const float* in, std::size_t columns, std::byte* out) {
    constexpr float kLargest = 8191;
    const ActivationLayout layout = activationLayout(ActivationKind::Int16Block32, columns);
    auto* values = reinterpret_cast<std::int16_t*>(out);
    auto* scales = reinterpret_cast<float*>(out + layout.scales);
    for (std::size_t first = 0; first < columns; first += 32) {
        alignas(64) float block[32] = {};
        const std::size_t count = columns - first < 32 ? columns - first : 32;
        std::memcpy(block, in + first, count * sizeof(float));
        const BlockScale s = blockScale(block, 32, kLargest);
        scales[first / 32] = s.scale;
        if (s.inverse == 0.0f) {
            std::memset(values + first, 0, 32 * sizeof(std::int16_t));
            continue;
        }
        LOADER_UNROLL
        for (std::size_t i = 0; i < 32; i += kLanes)
            store(block + i, roundNearest(multiply(load(block + i), broadcast(s.inverse))));
        for (std::size_t i = 0; i < 32; ++i)
            values[first + i] = static_cast<std::int16_t>(block[i]);
    }
}

inline void quantizeBlock256(const float* in, std::size_t columns, std::byte* out) {
    const ActivationLayout layout = activationLayout(ActivationKind::Q8Block256, columns);
    auto* values = reinterpret_cast<std::int8_t*>(out);
    auto* scales = reinterpret_cast<float*>(out + layout.scales);
    auto* offsets32 = reinterpret_cast<std::int32_t*>(out + layout.offsets32);
    auto* offsets16 = reinterpret_cast<std::int32_t*>(out + layout.offsets16);
    auto* evenOdd = reinterpret_cast<std::int16_t*>(out + layout.evenOddSums);
    for (std::size_t b = 0; b < columns / 256; ++b) {
        const BlockScale s = blockScale(in + b * 256, 256, 127.0f);
        scales[b] = s.scale;
        for (std::size_t j = 0; j < 8; ++j) {
            const std::size_t first = b * 256 + j * 32;
            const std::int32_t even = quantize16(in + first, s.inverse, values + first);
            const std::int32_t odd = quantize16(in + first + 16, s.inverse, values + first + 16);
            offsets16[first / 16] = -128 * even;
            offsets16[first / 16 + 1] = -128 * odd;
            offsets32[first / 32] = -128 * (even + odd);
            evenOdd[b * 16 + j] = static_cast<std::int16_t>(even);
            evenOdd[b * 16 + 8 + j] = static_cast<std::int16_t>(odd);
        }
    }
}

/// The scale is rounded to half precision before the values are divided by it, so that the pair is
/// consistent.
inline void floatToQ8Row(const float* in, std::byte* out, std::size_t count) {
    for (std::size_t i = 0; i < count; i += 32, out += kQ8BlockBytes) {
        const BlockScale s = blockScale(in + i, 32, 127.0f);
        const std::uint16_t bits = loader::floatToHalf(s.scale);
        const float stored = loader::halfToFloat(bits);
        std::memcpy(out, &bits, sizeof(bits));
        auto* values = reinterpret_cast<std::int8_t*>(out + 2);
        // A rounded-down scale would carry the largest value to 128; the exact inverse of the block keeps it
        // at 127.
        const float inverse = stored > 0.0f && stored >= s.scale ? 1.0f / stored : s.inverse;
        const float used = stored == 0.0f ? 0.0f : inverse;
        quantize16(in + i, used, values);
        quantize16(in + i + 16, used, values + 16);
    }
}
