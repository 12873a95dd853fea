// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Row helpers of the executor, written once against the vector vocabulary (isa/<tier>/vec.inl) and included
// by every tier.

inline float dot(const float* a, const float* b, std::size_t count) {
    Floats sums[4] = {zero(), zero(), zero(), zero()};
    std::size_t i = 0;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
        LOADER_UNROLL
        for (std::size_t u = 0; u < 4; ++u) {
            sums[u] = multiplyAdd(load(a + i + u * kLanes), load(b + i + u * kLanes), sums[u]);
        }
    }
    for (; i + kLanes <= count; i += kLanes)
        sums[0] = multiplyAdd(load(a + i), load(b + i), sums[0]);
    if (i < count) sums[1] = multiplyAdd(loadPart(a + i, count - i), loadPart(b + i, count - i), sums[1]);
    return sumOf(add(add(sums[0], sums[1]), add(sums[2], sums[3])));
}

inline void axpy(float factor, const float* x, float* y, std::size_t count) {
    const Floats f = broadcast(factor);
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        store(y + i, multiplyAdd(f, load(x + i), load(y + i)));
    const std::size_t rest = count - i;
    if (rest != 0) storePart(y + i, multiplyAdd(f, loadPart(x + i, rest), loadPart(y + i, rest)), rest);
}

inline double sumSquares(const float* x, std::size_t count) {
    double total = 0;
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        total += sumOfSquaresDouble(load(x + i));
    if (i < count) total += sumOfSquaresDouble(loadPart(x + i, count - i));
    return total;
}

inline double sum(const float* x, std::size_t count) {
    double total = 0;
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        total += sumOfDouble(load(x + i));
    if (i < count) total += sumOfDouble(loadPart(x + i, count - i));
    return total;
}

inline void scaleRow(const float* x, float factor, const float* weight, float* out, std::size_t count) {
    const Floats f = broadcast(factor);
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        const Floats scaled = multiply(load(x + i), f);
        store(out + i, weight != nullptr ? multiply(scaled, load(weight + i)) : scaled);
    }
    const std::size_t rest = count - i;
    if (rest == 0) return;
    const Floats scaled = multiply(loadPart(x + i, rest), f);
    storePart(out + i, weight != nullptr ? multiply(scaled, loadPart(weight + i, rest)) : scaled, rest);
}

inline void addRow(const float* x, float* y, std::size_t count) {
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        store(y + i, add(load(x + i), load(y + i)));
    const std::size_t rest = count - i;
    if (rest != 0) storePart(y + i, add(loadPart(x + i, rest), loadPart(y + i, rest)), rest);
}

inline void multiplyRow(const float* x, float* y, std::size_t count) {
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        store(y + i, multiply(load(x + i), load(y + i)));
    const std::size_t rest = count - i;
    if (rest != 0) storePart(y + i, multiply(loadPart(x + i, rest), loadPart(y + i, rest)), rest);
}

inline void halfRowToFloat(const std::uint16_t* in, float* out, std::size_t count) {
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        store(out + i, loadHalf(in + i));
    if (i < count) storePart(out + i, loadHalfPart(in + i, count - i), count - i);
}

inline void floatRowToHalf(const float* in, std::uint16_t* out, std::size_t count) {
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        storeHalf(out + i, load(in + i));
    if (i == count) return;
    std::uint16_t rest[kLanes];
    storeHalf(rest, loadPart(in + i, count - i));
    std::memcpy(out + i, rest, (count - i) * sizeof(std::uint16_t));
}

inline float dotHalf(const float* query, const std::uint16_t* key, std::size_t count) {
    Floats sums[2] = {zero(), zero()};
    std::size_t i = 0;
    for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
        sums[0] = multiplyAdd(load(query + i), loadHalf(key + i), sums[0]);
        sums[1] = multiplyAdd(load(query + i + kLanes), loadHalf(key + i + kLanes), sums[1]);
    }
    for (; i + kLanes <= count; i += kLanes)
        sums[0] = multiplyAdd(load(query + i), loadHalf(key + i), sums[0]);
    if (i < count)
        sums[1] = multiplyAdd(loadPart(query + i, count - i), loadHalfPart(key + i, count - i), sums[1]);
    return sumOf(add(sums[0], sums[1]));
}

inline void axpyHalf(float factor, const std::uint16_t* value, float* out, std::size_t count) {
    const Floats f = broadcast(factor);
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        store(out + i, multiplyAdd(f, loadHalf(value + i), load(out + i)));
    const std::size_t rest = count - i;
    if (rest != 0)
        storePart(out + i, multiplyAdd(f, loadHalfPart(value + i, rest), loadPart(out + i, rest)), rest);
}

inline constexpr std::size_t kQ8BlockBytes = 34;

inline float dotQ8(const float* query, const std::byte* key, std::size_t count) {
    Floats total = zero();
    for (std::size_t i = 0; i < count; i += 32, key += kQ8BlockBytes) {
        Floats block = zero();
        LOADER_UNROLL
        for (std::size_t k = 0; k < 32; k += kLanes) {
            block = multiplyAdd(load(query + i + k), loadInt8(key + 2 + k), block);
        }
        total = multiplyAdd(block, broadcast(halfScale(key)), total);
    }
    return sumOf(total);
}

inline void axpyQ8(float factor, const std::byte* value, float* out, std::size_t count) {
    for (std::size_t i = 0; i < count; i += 32, value += kQ8BlockBytes) {
        const Floats f = broadcast(factor * halfScale(value));
        LOADER_UNROLL
        for (std::size_t k = 0; k < 32; k += kLanes) {
            store(out + i + k, multiplyAdd(f, loadInt8(value + 2 + k), load(out + i + k)));
        }
    }
}

/// e^x. Below ln(2^-126) the result is 0, above ln(FLT_MAX) infinity; no number stays no number.
/// @source Cody & Waite 1980, chapter 6 (reduction by a two-part logarithm of 2); Taylor terms up to r^7 / 7!
/// for
///         |r| <= ln(2) / 2, whose remainder is below 2^-27
inline Floats exponential(Floats x) {
    const Floats highest = broadcast(88.7228394f);
    const Floats lowest = broadcast(-87.3365448f);
    const Floats clamped = minimum(highest, maximum(lowest, x));
    const Floats n = roundNearest(multiply(clamped, broadcast(1.44269504f)));
    Floats r = multiplyAdd(n, broadcast(-0.693359375f), clamped);
    r = multiplyAdd(n, broadcast(2.12194440e-4f), r);
    Floats p = broadcast(1.0f / 5040);
    p = multiplyAdd(p, r, broadcast(1.0f / 720));
    p = multiplyAdd(p, r, broadcast(1.0f / 120));
    p = multiplyAdd(p, r, broadcast(1.0f / 24));
    p = multiplyAdd(p, r, broadcast(1.0f / 6));
    p = multiplyAdd(p, r, broadcast(0.5f));
    p = multiplyAdd(multiply(p, r), r, r);
    p = add(p, broadcast(1.0f));
    // 2^128 has no float: the first factor stays one power below, the second brings it back.
    const Floats halved = multiply(p, powerOfTwo(maximum(subtract(n, broadcast(1.0f)), broadcast(-126.0f))));
    Floats result = multiply(halved, selectLess(n, broadcast(-125.0f), broadcast(1.0f), broadcast(2.0f)));
    result = selectLess(highest, x, broadcast(std::numeric_limits<float>::infinity()), result);
    return selectLess(x, lowest, zero(), result);
}

/// x / (1 + e^-x)
inline Floats silu(Floats x) {
    return divide(x, add(broadcast(1.0f), exponential(subtract(zero(), x))));
}

/// x / (1 + e^-2u) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x (1 + tanh u) / 2.
inline Floats gelu(Floats x) {
    const Floats cube = multiply(multiply(x, x), multiply(x, broadcast(0.044715f)));
    const Floats twice = multiply(add(x, cube), broadcast(-2.0f * 0.797884561f));
    return divide(x, add(broadcast(1.0f), exponential(twice)));
}

template <Floats (*activation)(Floats)>
inline void activateMultiply(const float* gate, const float* up, float* out, std::size_t count) {
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        const Floats active = activation(load(gate + i));
        store(out + i, up != nullptr ? multiply(active, load(up + i)) : active);
    }
    const std::size_t rest = count - i;
    if (rest == 0) return;
    const Floats active = activation(loadPart(gate + i, rest));
    storePart(out + i, up != nullptr ? multiply(active, loadPart(up + i, rest)) : active, rest);
}

inline float maximumRow(const float* x, std::size_t count) {
    constexpr float kLowest = -std::numeric_limits<float>::infinity();
    if (count < kLanes) {
        float result = kLowest;
        for (std::size_t i = 0; i < count; ++i)
            result = x[i] > result ? x[i] : result;
        return result;
    }
    Floats best = broadcast(kLowest);
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        best = maximum(load(x + i), best);
    // The last whole vector overlaps: seeing a value twice changes no maximum.
    best = maximum(load(x + count - kLanes), best);
    return maximumOf(best);
}

inline float expRow(float* x, float shift, std::size_t count) {
    const Floats s = broadcast(shift);
    Floats total = zero();
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        const Floats e = exponential(subtract(load(x + i), s));
        store(x + i, e);
        total = add(total, e);
    }
    const std::size_t rest = count - i;
    if (rest == 0) return sumOf(total);
    storePart(x + i, exponential(subtract(loadPart(x + i, rest), s)), rest);
    return sumOf(add(total, loadPart(x + i, rest)));
}
