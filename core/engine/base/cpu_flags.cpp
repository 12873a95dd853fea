// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/cpu_flags.h"

#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#define LOADER_X86 1
#ifdef _MSC_VER
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#elif defined(__aarch64__) || defined(_M_ARM64)
#define LOADER_ARM64 1
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>
#endif
#endif

namespace loader {
namespace {

constexpr std::string_view kNames[] = {
#define LOADER_CPU_FLAG(name, text) text,
#include "core/engine/base/cpu_flags.inc"
};

/// One bit of an answer and what it says.
struct FlagBit {
    CpuFlag flag;
    unsigned bit;
};

template <std::size_t N>
void addBits(CpuFlags& flags, std::uint64_t word, const FlagBit (&bits)[N]) {
    for (const FlagBit& one : bits) {
        if (word >> one.bit & 1) flags.add(one.flag);
    }
}

#ifdef LOADER_X86

struct Registers {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
    Registers r;
#ifdef _MSC_VER
    int values[4];
    __cpuidex(values, static_cast<int>(leaf), static_cast<int>(subleaf));
    r.eax = static_cast<std::uint32_t>(values[0]);
    r.ebx = static_cast<std::uint32_t>(values[1]);
    r.ecx = static_cast<std::uint32_t>(values[2]);
    r.edx = static_cast<std::uint32_t>(values[3]);
#else
    __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
#endif
    return r;
}

/// Only valid where CPUID reports OSXSAVE.
std::uint64_t xgetbv() {
#ifdef _MSC_VER
    return _xgetbv(0);
#else
    // The intrinsic needs a target flag; the instruction itself is guarded by OSXSAVE.
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<std::uint64_t>(high) << 32) | low;
#endif
}

std::string brandString() {
    constexpr std::uint32_t kFirst = 0x80000002;
    constexpr std::uint32_t kLast = 0x80000004;
    if (cpuid(0x80000000, 0).eax < kLast) return {};
    char text[48 + 1] = {};
    for (std::uint32_t leaf = kFirst; leaf <= kLast; ++leaf) {
        const Registers r = cpuid(leaf, 0);
        const std::uint32_t words[] = {r.eax, r.ebx, r.ecx, r.edx};
        std::memcpy(text + 16 * (leaf - kFirst), words, sizeof words);
    }
    return text;
}

#endif

#ifdef LOADER_ARM64

CpuFlags liveFlagsOfArm64() {
#if defined(__linux__)
    return flagsOfArm64(getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
#else
    // What a processor with the integer dot product has beside it (ARMv8.2 on these systems).
    const CpuFlags withDotProduct = {CpuFlag::Neon, CpuFlag::Crc32,    CpuFlag::Atomics,
                                     CpuFlag::Rdm,  CpuFlag::HalfMath, CpuFlag::DotProduct};
#if defined(__APPLE__)
    int value = 0;
    std::size_t size = sizeof(value);
    const bool dotProduct =
        sysctlbyname("hw.optional.arm.FEAT_DotProd", &value, &size, nullptr, 0) == 0 && value != 0;
#elif defined(_WIN32)
    const bool dotProduct = IsProcessorFeaturePresent(43) != 0;  // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE
#else
    const bool dotProduct = false;
#endif
    return dotProduct ? withDotProduct : CpuFlags{CpuFlag::Neon};
#endif
}

#endif

}  // namespace

std::vector<std::string> CpuFlags::names() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::size(kNames); ++i) {
        if (has(static_cast<CpuFlag>(i))) names.emplace_back(kNames[i]);
    }
    return names;
}

X86Answers askX86() {
    X86Answers answers;
#ifdef LOADER_X86
    constexpr std::uint32_t kOsSavesStates = 1u << 27;  // OSXSAVE
    answers.highestLeaf = cpuid(0, 0).eax;
    answers.leaf1Ecx = cpuid(1, 0).ecx;
    if ((answers.leaf1Ecx & kOsSavesStates) != 0) answers.savedStates = xgetbv();
    if (answers.highestLeaf >= 7) {
        const Registers leaf7 = cpuid(7, 0);
        answers.leaf7Ebx = leaf7.ebx;
        answers.leaf7Ecx = leaf7.ecx;
        answers.leaf7Edx = leaf7.edx;
        if (leaf7.eax >= 1) answers.leaf7OneEax = cpuid(7, 1).eax;
    }
    answers.brand = brandString();
#endif
    return answers;
}

CpuFlags flagsOfX86(const X86Answers& answers) {
    using enum CpuFlag;
    constexpr std::uint64_t kAvxStates = 0x6;         // SSE, AVX
    constexpr std::uint64_t kAvx512States = 0xE6;     // and opmask, ZMM halves
    constexpr std::uint64_t kTileStates = 0x60000;    // tile configuration and data
    constexpr std::uint32_t kSavesStates = 1u << 27;  // OSXSAVE
    const auto saves = [&answers](std::uint64_t states) {
        return (answers.leaf1Ecx & kSavesStates) != 0 && (answers.savedStates & states) == states;
    };
    CpuFlags flags;
    addBits(flags, answers.leaf1Ecx, {{Sse42, 20}});
    if (saves(kAvxStates) && (answers.leaf1Ecx >> 28 & 1) != 0) {
        addBits(flags, answers.leaf1Ecx, {{Avx, 28}, {Fma, 12}, {F16c, 29}});
        addBits(flags, answers.leaf7Ebx, {{Avx2, 5}});
        addBits(flags, answers.leaf7OneEax, {{AvxVnni, 4}});
    }
    if (flags.has(Avx) && saves(kAvx512States) && (answers.leaf7Ebx >> 16 & 1) != 0) {
        addBits(flags, answers.leaf7Ebx, {{Avx512F, 16}, {Avx512Dq, 17}, {Avx512Bw, 30}, {Avx512Vl, 31}});
        addBits(flags, answers.leaf7Ecx, {{Avx512Vnni, 11}});
        addBits(flags, answers.leaf7Edx, {{Avx512Fp16, 23}});
        addBits(flags, answers.leaf7OneEax, {{Avx512Bf16, 5}});
    }
    if (saves(kTileStates)) addBits(flags, answers.leaf7Edx, {{AmxBf16, 22}, {AmxInt8, 25}});
    return flags;
}

CpuFlags flagsOfArm64(std::uint64_t capabilities, std::uint64_t capabilities2) {
    using enum CpuFlag;
    CpuFlags flags;
    addBits(flags, capabilities,
            {{Neon, 1}, {Crc32, 7}, {Atomics, 8}, {HalfMath, 10}, {Rdm, 12}, {DotProduct, 20}, {Sve, 22}});
    addBits(flags, capabilities2, {{Sve2, 1}, {I8mm, 13}, {Bf16, 14}});
    return flags;
}

CpuFlags cpuFlags() {
#if defined(LOADER_X86)
    return flagsOfX86(askX86());
#elif defined(LOADER_ARM64)
    return liveFlagsOfArm64();
#else
    return {};
#endif
}

std::string_view kernelTier(CpuFlags flags) {
    using enum CpuFlag;
    const CpuFlags avx2 = {Avx, Avx2, Fma, F16c};
    if (flags.hasAll(avx2) && flags.hasAll({Avx512F, Avx512Bw, Avx512Dq, Avx512Vl, Avx512Vnni}))
        return "avx512";
    if (flags.hasAll(avx2)) return "avx2";
    if (flags.hasAll({Crc32, Atomics, Rdm, DotProduct})) return "neon";
    return "baseline";
}

}  // namespace loader
