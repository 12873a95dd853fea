// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// LOADER_UNROLL before a loop of fixed length: register tiles are arrays, and stay in registers only where
// their loops vanish. LOADER_INLINE before a function that takes such a tile: called, it would get it in
// memory.
#pragma once

#if defined(__clang__)
#define LOADER_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define LOADER_UNROLL _Pragma("GCC unroll 16")
#else
#define LOADER_UNROLL
#endif

#if defined(__GNUC__)
#define LOADER_INLINE [[gnu::always_inline]] inline
#else
#define LOADER_INLINE inline
#endif

namespace loader::cpu {

/// No load that comes after is done before: without it the compiler would gather what a long straight piece
/// of code reads in registers that the sums need. Costs no instruction.
inline void holdLoads() {
#if defined(__GNUC__)
    asm volatile("" ::: "memory");
#endif
}

}  // namespace loader::cpu
