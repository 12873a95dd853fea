// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which instruction set extensions can be used. On x86-64 the processor is asked (CPUID), and whether the
// operating system saves the wide registers (XGETBV): either alone is not enough. On 64-bit ARM the operating
// system is asked.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace loader {

enum class CpuFlag : std::uint8_t {
#define LOADER_CPU_FLAG(name, text) name,
#include "core/engine/base/cpu_flags.inc"
};

/// A set of flags. @thread const
class CpuFlags {
public:
    CpuFlags() = default;
    CpuFlags(std::initializer_list<CpuFlag> flags) {
        for (const CpuFlag flag : flags)
            add(flag);
    }

    void add(CpuFlag flag) { m_bits |= bit(flag); }
    bool has(CpuFlag flag) const { return (m_bits & bit(flag)) != 0; }
    bool hasAll(CpuFlags others) const { return (m_bits & others.m_bits) == others.m_bits; }
    /// "avx2", "fma" …, in the order of the list.
    std::vector<std::string> names() const;
    bool operator==(const CpuFlags&) const = default;

private:
    static constexpr std::uint64_t bit(CpuFlag flag) {
        return std::uint64_t{1} << static_cast<unsigned>(flag);
    }

    std::uint64_t m_bits = 0;
};

/// What an x86-64 processor and its operating system answer; all zero elsewhere.
struct X86Answers {
    std::uint32_t highestLeaf = 0;
    std::uint32_t leaf1Ecx = 0;
    std::uint32_t leaf7Ebx = 0;
    std::uint32_t leaf7Ecx = 0;
    std::uint32_t leaf7Edx = 0;
    /// Leaf 7, subleaf 1.
    std::uint32_t leaf7OneEax = 0;
    /// XCR0: register states that the operating system saves; 0 where it saves none or cannot be asked.
    std::uint64_t savedStates = 0;
    /// "AMD EPYC 9334 32-Core Processor"; empty where it does not tell.
    std::string brand;
};
X86Answers askX86();

/// @source Intel SDM volume 2, CPUID leaves 1 and 7; volume 1, 13.3 for the states
CpuFlags flagsOfX86(const X86Answers& answers);
/// @param capabilities, capabilities2 the auxiliary vector's AT_HWCAP and AT_HWCAP2 of Linux
/// @source Linux arch/arm64/include/uapi/asm/hwcap.h
CpuFlags flagsOfArm64(std::uint64_t capabilities, std::uint64_t capabilities2);
/// Of the processor that runs this. @thread any
CpuFlags cpuFlags();

/// The name of the fastest tier of kernels that these flags allow: "avx512", "avx2", "neon" or "baseline".
/// Asks for all that the compiler may emit in the tier's target region, not only for what we use.
std::string_view kernelTier(CpuFlags flags);

}  // namespace loader
