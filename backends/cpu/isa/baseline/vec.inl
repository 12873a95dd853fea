// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Vector vocabulary of the baseline tier: four lanes in plain code, which every compiler turns into the
// registers it has. Included once, inside the tier's namespace; the other tiers offer the same names.

inline constexpr std::size_t kLanes = 4;
/// Sums that a kernel may hold next to what it adds, in about half of the tier's registers.
inline constexpr std::size_t kDirectSums = 8;

struct Floats {
    float lane[kLanes];
};

inline Floats broadcast(float x) {
    return {{x, x, x, x}};
}
inline Floats zero() {
    return broadcast(0.0f);
}
inline Floats load(const void* p) {
    Floats r;
    std::memcpy(&r, p, sizeof(r));
    return r;
}
/// The first `count` lanes; the others are 0 and not read.
inline Floats loadPart(const void* p, std::size_t count) {
    Floats r = zero();
    std::memcpy(&r, p, count * sizeof(float));
    return r;
}
inline void store(float* p, Floats x) {
    std::memcpy(p, &x, sizeof(x));
}
inline void storePart(float* p, Floats x, std::size_t count) {
    std::memcpy(p, &x, count * sizeof(float));
}

#define LOADER_LANES(expression)             \
    Floats r;                                \
    for (std::size_t i = 0; i < kLanes; ++i) \
        r.lane[i] = expression;              \
    return r

inline Floats add(Floats a, Floats b) {
    LOADER_LANES(a.lane[i] + b.lane[i]);
}
inline Floats subtract(Floats a, Floats b) {
    LOADER_LANES(a.lane[i] - b.lane[i]);
}
inline Floats multiply(Floats a, Floats b) {
    LOADER_LANES(a.lane[i] * b.lane[i]);
}
inline Floats divide(Floats a, Floats b) {
    LOADER_LANES(a.lane[i] / b.lane[i]);
}
/// a × b + c
inline Floats multiplyAdd(Floats a, Floats b, Floats c) {
    LOADER_LANES(a.lane[i] * b.lane[i] + c.lane[i]);
}
/// The larger of both; b where either is no number.
inline Floats maximum(Floats a, Floats b) {
    LOADER_LANES(a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]);
}
inline Floats minimum(Floats a, Floats b) {
    LOADER_LANES(a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]);
}
/// `then` where a < b, else `otherwise`; also where either is no number.
inline Floats selectLess(Floats a, Floats b, Floats then, Floats otherwise) {
    LOADER_LANES(a.lane[i] < b.lane[i] ? then.lane[i] : otherwise.lane[i]);
}
inline Floats absolute(Floats x) {
    LOADER_LANES(std::bit_cast<float>(std::bit_cast<std::uint32_t>(x.lane[i]) & 0x7FFFFFFFu));
}
/// To the nearest integer, ties to even; |x| < 2^22.
inline Floats roundNearest(Floats x) {
    LOADER_LANES((x.lane[i] + 12582912.0f) - 12582912.0f);
}
/// 2^x for an integer x from -126 to 127.
inline Floats powerOfTwo(Floats x) {
    // What is no number must not be converted; the caller's product stays no number by its other factor.
    LOADER_LANES(std::bit_cast<float>(
        (static_cast<std::int32_t>(x.lane[i] == x.lane[i] ? x.lane[i] : 0.0f) + 127) << 23));
}
inline Floats loadHalf(const void* p) {
    std::uint16_t bits[kLanes];
    std::memcpy(bits, p, sizeof(bits));
    LOADER_LANES(loader::halfToFloat(bits[i]));
}
inline Floats loadHalfPart(const void* p, std::size_t count) {
    std::uint16_t bits[kLanes] = {};
    std::memcpy(bits, p, count * sizeof(std::uint16_t));
    LOADER_LANES(loader::halfToFloat(bits[i]));
}
inline Floats loadBfloat(const void* p) {
    std::uint16_t bits[kLanes];
    std::memcpy(bits, p, sizeof(bits));
    LOADER_LANES(loader::bfloat16ToFloat(bits[i]));
}
inline Floats loadBfloatPart(const void* p, std::size_t count) {
    std::uint16_t bits[kLanes] = {};
    std::memcpy(bits, p, count * sizeof(std::uint16_t));
    LOADER_LANES(loader::bfloat16ToFloat(bits[i]));
}
inline Floats loadInt8(const void* p) {
    std::int8_t values[kLanes];
    std::memcpy(values, p, sizeof(values));
    LOADER_LANES(static_cast<float>(values[i]));
}
/// Stores kLanes integers from -127 to 127.
inline void storeInt8(std::int8_t* p, Floats x) {
    for (std::size_t i = 0; i < kLanes; ++i)
        p[i] = static_cast<std::int8_t>(x.lane[i]);
}
inline void storeHalf(void* p, Floats x) {
    std::uint16_t bits[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i)
        bits[i] = loader::floatToHalf(x.lane[i]);
    std::memcpy(p, bits, sizeof(bits));
}
inline float sumOf(Floats x) {
    return (x.lane[0] + x.lane[2]) + (x.lane[1] + x.lane[3]);
}
/// Lane i is the sum of x[i]'s lanes.
inline Floats sumEach(const Floats (&x)[kLanes]) {
    LOADER_LANES(sumOf(x[i]));
}
inline float maximumOf(Floats x) {
    float r = x.lane[0];
    for (std::size_t i = 1; i < kLanes; ++i)
        r = r > x.lane[i] ? r : x.lane[i];
    return r;
}
inline double sumOfDouble(Floats x) {
    double r = 0;
    for (std::size_t i = 0; i < kLanes; ++i)
        r += static_cast<double>(x.lane[i]);
    return r;
}
inline double sumOfSquaresDouble(Floats x) {
    double r = 0;
    for (std::size_t i = 0; i < kLanes; ++i)
        r += static_cast<double>(x.lane[i]) * static_cast<double>(x.lane[i]);
    return r;
}
/// Exact decoding of a half precision scale.
inline float halfScale(const void* p) {
    std::uint16_t bits;
    std::memcpy(&bits, p, sizeof(bits));
    return loader::halfToFloat(bits);
}
/// Transposes 8 rows of 8 floats; `step` is the distance of the output rows.
inline void transpose8x8(const float* const rows[8], std::size_t offset, float* out, std::size_t step) {
    for (std::size_t k = 0; k < 8; ++k) {
        for (std::size_t r = 0; r < 8; ++r)
            out[k * step + r] = rows[r][offset + k];
    }
}
#undef LOADER_LANES
