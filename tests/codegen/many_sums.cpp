// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A loop with SUMS sums in vectors of eight floats: with more than sixteen the compiler must spill. Compiled
// by tst_vector_spills.py only.

#include <immintrin.h>

#include <cstddef>

void sumProducts(const float* a, const float* b, std::size_t count, float* out) {
    __m256 sums[SUMS];
#pragma GCC unroll 32
    for (std::size_t t = 0; t < SUMS; ++t)
        sums[t] = _mm256_setzero_ps();
    for (std::size_t k = 0; k < count; ++k) {
        const __m256 value = _mm256_loadu_ps(a + k * 8);
#pragma GCC unroll 32
        for (std::size_t t = 0; t < SUMS; ++t)
            sums[t] = _mm256_fmadd_ps(value, _mm256_set1_ps(b[k * SUMS + t]), sums[t]);
    }
#pragma GCC unroll 32
    for (std::size_t t = 0; t < SUMS; ++t)
        _mm256_storeu_ps(out + t * 8, sums[t]);
}
