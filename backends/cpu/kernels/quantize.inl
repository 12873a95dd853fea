// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Floats to the int8 forms of kernels/activation.h, and to Q8_0 file blocks. Written against the vector
// vocabulary; every tier gives the same bits, because each step is either exact or one rounded operation.

/// Below this a block counts as zero: 127 divided by it would leave the range of float.
inline constexpr float kSmallestMagnitude = 0x1p-100f;

struct BlockScale {
    float scale;
    float inverse;
};

/// Largest magnitude of `count` values (a multiple of 32) as the scale of int8 -127 … 127.
inline BlockScale blockScale(const float* in, std::size_t count) {
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
    return {magnitude / 127.0f, 127.0f / magnitude};
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

/// The parts of one Q8Block32 record.
struct Record32 {
    Record32(std::size_t columns, std::byte* out) {
        const ActivationLayout layout = activationLayout(ActivationKind::Q8Block32, columns);
        values = reinterpret_cast<std::int8_t*>(out);
        scales = reinterpret_cast<float*>(out + layout.scales);
        sums = reinterpret_cast<float*>(out + layout.sums);
        offsets = reinterpret_cast<std::int32_t*>(out + layout.offsets32);
    }

    void quantize(std::size_t b, const float* block) const {
        const BlockScale s = blockScale(block, 32);
        const std::int32_t low = quantize16(block, s.inverse, values + b * 32);
        const std::int32_t total = low + quantize16(block + 16, s.inverse, values + b * 32 + 16);
        scales[b] = s.scale;
        sums[b] = s.scale * static_cast<float>(total);
        offsets[b] = -128 * total;
    }

    std::int8_t* values;
    float* scales;
    float* sums;
    std::int32_t* offsets;
};

inline void quantizeBlock32(const float* in, std::size_t columns, std::byte* out) {
    const Record32 record(columns, out);
    for (std::size_t b = 0; b < columns / 32; ++b)
        record.quantize(b, in + b * 32);
}

inline void quantizePair32(const float* in, std::size_t columns, std::byte* out) {
    const Record32 first(columns, out);
    const Record32 second(columns, out + activationLayout(ActivationKind::Q8Block32, columns).stride);
    for (std::size_t b = 0; b < columns / 32; ++b) {
        const float* block = in + b * 32;
        first.quantize(b, block);
        alignas(64) float rest[32];
        // A tier with fused multiply-add may round the rest once less: its second record can differ in a last
        // bit.
        for (std::size_t i = 0; i < 32; ++i) {
            const float product = first.scales[b] * static_cast<float>(first.values[b * 32 + i]);
            rest[i] = block[i] - product;
        }
        second.quantize(b, rest);
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
        const BlockScale s = blockScale(in + b * 256, 256);
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
        const BlockScale s = blockScale(in + i, 32);
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
