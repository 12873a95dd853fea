// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/isa/cpu_features.h"

#include <algorithm>
#include <array>

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

namespace loader::cpu {
namespace {

struct TierRow {
    IsaTier tier;
    std::string_view name;
};

constexpr TierRow kRows[] = {
#define LOADER_ISA_TIER(name, text, space) {IsaTier::name, text},
#include "backends/cpu/isa/tiers.inc"
};

constexpr IsaTier kTiers[] = {
#define LOADER_ISA_TIER(name, text, space) IsaTier::name,
#include "backends/cpu/isa/tiers.inc"
};

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

/// Register states the operating system saves. Only valid where CPUID reports OSXSAVE.
std::uint64_t enabledStates() {
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

constexpr bool hasAll(std::uint64_t value, std::uint64_t bits) {
    return (value & bits) == bits;
}

constexpr std::uint32_t bit(unsigned index) {
    return 1u << index;
}

/// @source Intel SDM volume 2, CPUID leaves 1 and 7; volume 1, 13.3 for the state bits
IsaTier detectX86() {
    constexpr std::uint32_t kLeaf1 = bit(12) | bit(27) | bit(28) | bit(29);        // FMA, OSXSAVE, AVX, F16C
    constexpr std::uint32_t kLeaf7Avx512 = bit(16) | bit(17) | bit(30) | bit(31);  // F, DQ, BW, VL
    constexpr std::uint64_t kStatesAvx = 0x6;                                      // SSE, AVX
    constexpr std::uint64_t kStatesAvx512 = 0xE6;                                  // and opmask, ZMM halves

    if (cpuid(0, 0).eax < 7) return IsaTier::Baseline;
    if (!hasAll(cpuid(1, 0).ecx, kLeaf1)) return IsaTier::Baseline;
    const std::uint64_t states = enabledStates();
    const Registers leaf7 = cpuid(7, 0);
    if (!hasAll(states, kStatesAvx) || !hasAll(leaf7.ebx, bit(5))) return IsaTier::Baseline;
    if (!hasAll(states, kStatesAvx512) || !hasAll(leaf7.ebx, kLeaf7Avx512)) return IsaTier::Avx2;
    return hasAll(leaf7.ecx, bit(11)) ? IsaTier::Avx512 : IsaTier::Avx2;  // VNNI
}

#endif

#ifdef LOADER_ARM64

/// The kernels are compiled for ARMv8.2 with the dot product, so all that this names must be there.
/// @source Linux arch/arm64/include/uapi/asm/hwcap.h; Apple "Determining instruction set characteristics";
///         winnt.h, PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE
IsaTier detectArm64() {
    bool dotProduct = false;
#if defined(__linux__)
    constexpr unsigned long kNeeded = 1ul << 7 | 1ul << 8 | 1ul << 12 | 1ul << 20;  // CRC32, LSE, RDM, DP
    dotProduct = (getauxval(AT_HWCAP) & kNeeded) == kNeeded;
#elif defined(__APPLE__)
    int value = 0;
    std::size_t size = sizeof(value);
    dotProduct = sysctlbyname("hw.optional.arm.FEAT_DotProd", &value, &size, nullptr, 0) == 0 && value != 0;
#elif defined(_WIN32)
    dotProduct = IsProcessorFeaturePresent(43) != 0;
#endif
    return dotProduct ? IsaTier::Neon : IsaTier::Baseline;
}

#endif

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

IsaTier detectTier() {
#ifdef LOADER_X86
    return detectX86();
#elif defined(LOADER_ARM64)
    return detectArm64();
#else
    return IsaTier::Baseline;
#endif
}

IsaTier allowedTier(std::optional<IsaTier> wanted) {
    const IsaTier machine = detectTier();
    return wanted ? std::min(*wanted, machine) : machine;
}

std::string_view tierName(IsaTier tier) {
    for (const TierRow& row : kRows) {
        if (row.tier == tier) return row.name;
    }
    return {};
}

std::optional<IsaTier> tierFromName(std::string_view name) {
    for (const TierRow& row : kRows) {
        const bool same = std::equal(row.name.begin(), row.name.end(), name.begin(), name.end(),
                                     [](char a, char b) { return a == lower(b); });
        if (same) return row.tier;
    }
    return std::nullopt;
}

std::span<const IsaTier> allTiers() {
    return kTiers;
}

}  // namespace loader::cpu
