// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Denormal numbers off while in scope: they slow kernels several times and carry nothing a model needs.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace loader::cpu {

/// Sets flush-to-zero and denormals-are-zero of the calling thread; restores what was there.
/// @thread one object per worker thread, on its stack
class DenormalsOff {
public:
    DenormalsOff() : m_saved(read()) { write(m_saved | kBits); }
    ~DenormalsOff() { write(m_saved); }
    DenormalsOff(const DenormalsOff&) = delete;
    DenormalsOff& operator=(const DenormalsOff&) = delete;

private:
#if defined(__x86_64__) || defined(_M_X64)
    using Register = std::uint32_t;
    static constexpr Register kBits = 0x8040;  // MXCSR: FTZ bit 15, DAZ bit 6
    static Register read() {
        return _mm_getcsr();
    }
    static void write(Register value) {
        _mm_setcsr(value);
    }
#elif defined(__aarch64__) && defined(__GNUC__)
    using Register = std::uint64_t;
    static constexpr Register kBits = 1u << 24;  // FPCR: FZ
    static Register read() {
        Register value = 0;
        __asm__ volatile("mrs %0, fpcr" : "=r"(value));
        return value;
    }
    static void write(Register value) {
        __asm__ volatile("msr fpcr, %0" : : "r"(value));
    }
#else
    using Register = std::uint32_t;
    static constexpr Register kBits = 0;
    static Register read() {
        return 0;
    }
    static void write(Register) {}
#endif

    Register m_saved;
};

}  // namespace loader::cpu
