// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every kernel carries its own target attribute: the file itself is compiled for the baseline.

#include "core/host/ceilings.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>

#include "core/engine/base/memory_facts.h"
#include "core/engine/base/thread_pool.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define LOADER_X86 1
#include <immintrin.h>
#endif

/// The sums are an array, and stay in registers only where the loops over it vanish.
#if defined(__clang__)
#define LOADER_UNROLL_SUMS _Pragma("unroll")
#elif defined(__GNUC__)
#define LOADER_UNROLL_SUMS _Pragma("GCC unroll 12")
#else
#define LOADER_UNROLL_SUMS
#endif

namespace loader::host {
namespace {

/// Best of five, each of them the best of many bursts of about a millisecond: a longer stretch is not
/// undisturbed on a machine that does something else as well, and the ceiling would come out below what is
/// reached.
constexpr int kRuns = 5;
constexpr int kBursts = 40;
constexpr int kQuickBursts = 12;
constexpr std::uint64_t kMiB = 1ull << 20;
constexpr std::uint64_t kRounds = 200'000;
constexpr std::uint64_t kBurstBytes = 16 * kMiB;

/// Reads everything and returns something that depends on it.
using ReadKernel = std::uint64_t (*)(const std::byte* data, std::size_t bytes);
/// @return something that depends on the work
using ArithmeticKernel = std::uint64_t (*)(std::uint64_t rounds, std::uint32_t seed);

struct KernelSet {
    const char* name;
    ReadKernel read;
    ArithmeticKernel int8;
    double int8OpsPerRound;
    ArithmeticKernel int16;
    double int16OpsPerRound;
    ArithmeticKernel f32;
    double f32FlopsPerRound;
};

// Portable kernels: what the compiler makes of plain loops for the baseline.

std::uint64_t readPlain(const std::byte* data, std::size_t bytes) {
    std::uint64_t sums[8] = {};
    for (std::size_t i = 0; i + 64 <= bytes; i += 64) {
        std::uint64_t words[8];
        std::memcpy(words, data + i, sizeof words);
        for (int j = 0; j < 8; ++j)
            sums[j] += words[j];
    }
    std::uint64_t total = 0;
    for (const std::uint64_t sum : sums)
        total += sum;
    return total;
}

std::uint64_t int8Plain(std::uint64_t rounds, std::uint32_t seed) {
    constexpr int kLanes = 64;
    std::int32_t sums[kLanes] = {};
    std::int16_t a[kLanes];
    std::int16_t b[kLanes];
    for (int j = 0; j < kLanes; ++j) {
        a[j] = static_cast<std::int16_t>((seed + static_cast<std::uint32_t>(j)) & 127u);
        b[j] = static_cast<std::int16_t>((seed * 3 + static_cast<std::uint32_t>(j)) & 63u);
    }
    for (std::uint64_t i = 0; i < rounds; ++i) {
        for (int j = 0; j < kLanes; ++j)
            sums[j] ^= a[j] * b[j] + static_cast<std::int32_t>(i);
    }
    std::uint64_t total = 0;
    for (const std::int32_t sum : sums)
        total += static_cast<std::uint32_t>(sum);
    return total;
}

std::uint64_t int16Plain(std::uint64_t rounds, std::uint32_t seed) {
    constexpr int kLanes = 32;
    std::int32_t sums[kLanes / 2] = {};
    std::int16_t a[kLanes];
    std::int16_t b[kLanes];
    for (int j = 0; j < kLanes; ++j) {
        a[j] = static_cast<std::int16_t>((seed + static_cast<std::uint32_t>(j)) & 1023u);
        b[j] = static_cast<std::int16_t>((seed * 3 + static_cast<std::uint32_t>(j)) & 511u);
    }
    for (std::uint64_t i = 0; i < rounds; ++i) {
        // Pairs, as the instruction for them has it.
        for (int j = 0; j < kLanes / 2; ++j)
            sums[j] ^= a[2 * j] * b[2 * j] + a[2 * j + 1] * b[2 * j + 1] + static_cast<std::int32_t>(i);
    }
    std::uint64_t total = 0;
    for (const std::int32_t sum : sums)
        total += static_cast<std::uint32_t>(sum);
    return total;
}

std::uint64_t f32Plain(std::uint64_t rounds, std::uint32_t seed) {
    constexpr int kLanes = 32;
    float sums[kLanes] = {};
    const float factor = 1.0f - static_cast<float>(seed & 7u) * 1e-7f;
    for (std::uint64_t i = 0; i < rounds; ++i) {
        for (float& sum : sums)
            sum = sum * factor + 1.0f;
    }
    float total = 0.0f;
    for (const float sum : sums)
        total += sum;
    return static_cast<std::uint64_t>(total);
}

#ifdef LOADER_X86

#define LOADER_AVX2 __attribute__((target("avx2,fma")))
#define LOADER_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

// Twelve independent sums hide the latency of the instruction on every processor with two units for it.

LOADER_AVX2 std::uint64_t readAvx2(const std::byte* data, std::size_t bytes) {
    __m256i sums[8];
    LOADER_UNROLL_SUMS
    for (__m256i& sum : sums)
        sum = _mm256_setzero_si256();
    for (std::size_t i = 0; i + 256 <= bytes; i += 256) {
        for (int j = 0; j < 8; ++j) {
            const auto* at = reinterpret_cast<const __m256i*>(data + i + 32 * j);
            sums[j] = _mm256_add_epi64(sums[j], _mm256_loadu_si256(at));
        }
    }
    std::uint64_t total = 0;
    for (const __m256i& sum : sums)
        total += static_cast<std::uint64_t>(_mm256_extract_epi64(sum, 0) + _mm256_extract_epi64(sum, 3));
    return total;
}

/// Adds in 16 bits: kernels for small weights do so for a few steps, and nothing can be faster.
LOADER_AVX2 std::uint64_t int8Avx2(std::uint64_t rounds, std::uint32_t seed) {
    const __m256i b = _mm256_set1_epi8(static_cast<char>(seed & 31u));
    __m256i sums[12];
    std::uint32_t start = seed;  // equal sums would be computed once
    LOADER_UNROLL_SUMS
    for (__m256i& sum : sums)
        sum = _mm256_set1_epi32(static_cast<int>(start++));
    for (std::uint64_t i = 0; i < rounds; ++i) {
        // Each product depends on its sum, so that none is computed only once.
        LOADER_UNROLL_SUMS
        for (__m256i& sum : sums)
            sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(sum, b));
    }
    std::uint64_t total = 0;
    for (const __m256i& sum : sums)
        total += static_cast<std::uint64_t>(_mm256_extract_epi64(sum, 0));
    return total;
}

LOADER_AVX2 std::uint64_t int16Avx2(std::uint64_t rounds, std::uint32_t seed) {
    const __m256i b = _mm256_set1_epi16(static_cast<short>(seed & 31u));
    __m256i sums[12];
    std::uint32_t start = seed;  // equal sums would be computed once
    LOADER_UNROLL_SUMS
    for (__m256i& sum : sums)
        sum = _mm256_set1_epi32(static_cast<int>(start++));
    for (std::uint64_t i = 0; i < rounds; ++i) {
        LOADER_UNROLL_SUMS
        for (__m256i& sum : sums)
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(sum, b));
    }
    std::uint64_t total = 0;
    for (const __m256i& sum : sums)
        total += static_cast<std::uint64_t>(_mm256_extract_epi64(sum, 0));
    return total;
}

LOADER_AVX2 std::uint64_t f32Avx2(std::uint64_t rounds, std::uint32_t seed) {
    const __m256 factor = _mm256_set1_ps(1.0f - static_cast<float>(seed & 7u) * 1e-7f);
    const __m256 one = _mm256_set1_ps(1.0f);
    __m256 sums[12];
    std::uint32_t start = seed;  // equal sums would be computed once
    LOADER_UNROLL_SUMS
    for (__m256& sum : sums)
        sum = _mm256_set1_ps(static_cast<float>(start++));
    for (std::uint64_t i = 0; i < rounds; ++i) {
        LOADER_UNROLL_SUMS
        for (__m256& sum : sums)
            sum = _mm256_fmadd_ps(sum, factor, one);
    }
    __m256 total = _mm256_setzero_ps();
    for (const __m256& sum : sums)
        total = _mm256_add_ps(total, sum);
    return static_cast<std::uint64_t>(_mm256_cvtss_f32(total));
}

LOADER_AVX512 std::uint64_t readAvx512(const std::byte* data, std::size_t bytes) {
    __m512i sums[8];
    LOADER_UNROLL_SUMS
    for (__m512i& sum : sums)
        sum = _mm512_setzero_si512();
    for (std::size_t i = 0; i + 512 <= bytes; i += 512) {
        for (int j = 0; j < 8; ++j)
            sums[j] = _mm512_add_epi64(sums[j], _mm512_loadu_si512(data + i + 64 * j));
    }
    __m512i total = sums[0];
    for (int j = 1; j < 8; ++j)
        total = _mm512_add_epi64(total, sums[j]);
    std::uint64_t words[8];
    _mm512_storeu_si512(words, total);
    return words[0] + words[7];
}

LOADER_AVX512 std::uint64_t int8Avx512(std::uint64_t rounds, std::uint32_t seed) {
    const __m512i a = _mm512_set1_epi8(static_cast<char>(seed & 63u));
    const __m512i b = _mm512_set1_epi8(static_cast<char>(seed & 31u));
    __m512i sums[12];
    std::uint32_t start = seed;  // equal sums would be computed once
    LOADER_UNROLL_SUMS
    for (__m512i& sum : sums)
        sum = _mm512_set1_epi32(static_cast<int>(start++));
    for (std::uint64_t i = 0; i < rounds; ++i) {
        LOADER_UNROLL_SUMS
        for (__m512i& sum : sums)
            sum = _mm512_dpbusd_epi32(sum, a, b);
    }
    __m512i total = sums[0];
    for (int j = 1; j < 12; ++j)
        total = _mm512_add_epi32(total, sums[j]);
    std::uint64_t words[8];
    _mm512_storeu_si512(words, total);
    return words[0] + words[7];
}

LOADER_AVX512 std::uint64_t int16Avx512(std::uint64_t rounds, std::uint32_t seed) {
    const __m512i a = _mm512_set1_epi16(static_cast<short>(seed & 1023u));
    const __m512i b = _mm512_set1_epi16(static_cast<short>(seed & 511u));
    __m512i sums[12];
    std::uint32_t start = seed;  // equal sums would be computed once
    LOADER_UNROLL_SUMS
    for (__m512i& sum : sums)
        sum = _mm512_set1_epi32(static_cast<int>(start++));
    for (std::uint64_t i = 0; i < rounds; ++i) {
        LOADER_UNROLL_SUMS
        for (__m512i& sum : sums)
            sum = _mm512_dpwssd_epi32(sum, a, b);
    }
    __m512i total = sums[0];
    for (int j = 1; j < 12; ++j)
        total = _mm512_add_epi32(total, sums[j]);
    std::uint64_t words[8];
    _mm512_storeu_si512(words, total);
    return words[0] + words[7];
}

LOADER_AVX512 std::uint64_t f32Avx512(std::uint64_t rounds, std::uint32_t seed) {
    const __m512 factor = _mm512_set1_ps(1.0f - static_cast<float>(seed & 7u) * 1e-7f);
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 sums[12];
    std::uint32_t start = seed;  // equal sums would be computed once
    LOADER_UNROLL_SUMS
    for (__m512& sum : sums)
        sum = _mm512_set1_ps(static_cast<float>(start++));
    for (std::uint64_t i = 0; i < rounds; ++i) {
        LOADER_UNROLL_SUMS
        for (__m512& sum : sums)
            sum = _mm512_fmadd_ps(sum, factor, one);
    }
    __m512 total = sums[0];
    for (int j = 1; j < 12; ++j)
        total = _mm512_add_ps(total, sums[j]);
    return static_cast<std::uint64_t>(_mm512_cvtss_f32(total));
}

#endif

KernelSet bestKernels() {
#ifdef LOADER_X86
    __builtin_cpu_init();
    const bool vnni = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl");
    if (vnni) {
        return {"avx512vnni", readAvx512,    int8Avx512, 12 * 64 * 2.0,
                int16Avx512,  12 * 32 * 2.0, f32Avx512,  12 * 16 * 2.0};
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return {"avx2", readAvx2, int8Avx2, 12 * 32 * 2.0, int16Avx2, 12 * 16 * 2.0, f32Avx2, 12 * 8 * 2.0};
    }
#endif
    return {"baseline", readPlain, int8Plain, 64 * 2.0, int16Plain, 32 * 2.0, f32Plain, 32 * 2.0};
}

/// Keeps the compiler from seeing that nobody uses a result.
volatile std::uint64_t g_sink;

template <class Work>
double secondsOf(Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Size of the largest cache; a guess where the system does not tell.
std::uint64_t lastCacheBytes() {
    std::uint64_t largest = 0;
    for (int index = 0; index < 8; ++index) {
        std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size");
        std::uint64_t value = 0;
        char unit = 0;
        if (!(file >> value)) continue;
        file >> unit;
        largest = std::max(largest, unit == 'M' ? value * kMiB : value * 1024);
    }
    return largest != 0 ? largest : 32 * kMiB;
}

class Meter {
public:
    Meter(const CeilingPlan& plan, CancelToken cancel)
        : m_pool(std::max(plan.threads, 1u)),
          m_kernels(bestKernels()),
          m_cancel(cancel),
          m_runs(plan.quick ? 1 : kRuns),
          m_bursts(plan.quick ? kQuickBursts : kBursts) {}

    unsigned threads() const { return m_pool.threads(); }

    const char* kernelName() const { return m_kernels.name; }

    /// Reads `bytes` `passes` times over, each thread its own share. @return bytes per second, the best
    Result<double> read(std::size_t bytes, std::size_t passes) {
        constexpr std::align_val_t kPage{2 * kMiB};
        auto* memory = static_cast<std::byte*>(::operator new[](bytes, kPage, std::nothrow));
        if (!memory) return Error(Errc::R901, {sizeText(bytes)});
#ifdef MADV_HUGEPAGE
        // As a mapped model has them where the system is able to.
        ::madvise(memory, bytes, MADV_HUGEPAGE);
#endif
        const auto release = [](std::byte* block) { ::operator delete[](block, kPage); };
        const std::unique_ptr<std::byte[], decltype(release)> owner(memory, release);
        // Each thread touches its share first, so that the pages are near it.
        m_pool.run([&](TeamMember& member) {
            const auto share = member.share(bytes, 4096);
            std::memset(memory + share.begin, 1, share.end - share.begin);
        });
        double best = 0.0;
        const std::size_t burst = std::min(bytes, static_cast<std::size_t>(kBurstBytes));
        const std::size_t bursts =
            std::max(bytes / burst, bytes == burst ? static_cast<std::size_t>(m_bursts) : 1);
        const auto pass = [&](std::size_t streams) {
            for (std::size_t i = 0; i < bursts; ++i) {
                const std::byte* start = memory + (bytes == burst ? 0 : i * burst);
                const double seconds = secondsOf([&] { readOnce(start, burst, passes, streams); });
                best = std::max(best, static_cast<double>(burst) * static_cast<double>(passes) / seconds);
            }
        };
        for (int run = 0; run < m_runs; ++run) {
            LOADER_CHECK(m_cancel.check());
            // One after the other: each finds what it reads no longer in the caches.
            pass(1);
            pass(4);
        }
        return best;
    }

    Result<double> int8() {
        return arithmetic(m_kernels.int8, m_kernels.int8OpsPerRound);
    }
    Result<double> int16() {
        return arithmetic(m_kernels.int16, m_kernels.int16OpsPerRound);
    }
    Result<double> f32() {
        return arithmetic(m_kernels.f32, m_kernels.f32FlopsPerRound);
    }

private:
    /// Each thread reads its share as `streams` parts side by side: some processors are quicker with one,
    /// some with several.
    void readOnce(const std::byte* memory, std::size_t bytes, std::size_t passes, std::size_t streams) {
        m_pool.run([&](TeamMember& member) {
            const auto share = member.share(bytes, 4096);
            const std::size_t part = (share.end - share.begin) / streams;
            const std::size_t piece = streams == 1 ? part : 1024;
            std::uint64_t sum = 0;
            for (std::size_t pass = 0; pass < passes; ++pass) {
                for (std::size_t at = 0; at < part; at += piece) {
                    for (std::size_t stream = 0; stream < streams; ++stream)
                        sum += m_kernels.read(memory + share.begin + stream * part + at,
                                              std::min(piece, part - at)) ^
                               pass;
                }
            }
            g_sink = sum;
        });
    }

    Result<double> arithmetic(ArithmeticKernel kernel, double perRound) {
        double best = 0.0;
        for (int run = 0; run < m_runs; ++run) {
            LOADER_CHECK(m_cancel.check());
            for (int burst = 0; burst < m_bursts; ++burst) {
                const double seconds = secondsOf([&] {
                    m_pool.run([&](TeamMember& member) { g_sink = kernel(kRounds, member.index() + 5); });
                });
                best = std::max(best, perRound * static_cast<double>(kRounds) * m_pool.threads() / seconds);
            }
        }
        return best;
    }

    ThreadPool m_pool;
    KernelSet m_kernels;
    CancelToken m_cancel;
    int m_runs;
    int m_bursts;
};

/// Several times what the caches hold, and not more than the machine can spare.
std::uint64_t largeBytes(bool quick) {
    const std::uint64_t caches = lastCacheBytes();
    std::uint64_t large = quick ? std::clamp(4 * caches, 64 * kMiB, 256 * kMiB)
                                : std::clamp(8 * caches, 256 * kMiB, 2048 * kMiB);
    if (const auto available = availableMemory())
        large = std::max(std::min(large, available->bytes / 4), 16 * kMiB);
    return large;
}

}  // namespace

Result<Ceilings> measureCeilings(const CeilingPlan& plan, CancelToken cancel) {
    Ceilings ceilings;
    Meter meter(plan, cancel);
    ceilings.threads = meter.threads();
    ceilings.kernels = meter.kernelName();
    const std::uint64_t large = largeBytes(plan.quick);
    LOADER_TRY(ceilings.memoryReadBytesPerSecond, meter.read(static_cast<std::size_t>(large), 1));
    if (plan.workingSetBytes != 0 && plan.workingSetBytes < large) {
        // What fits into a cache is read from there again and again, faster than memory.
        const std::uint64_t bytes = std::max<std::uint64_t>(plan.workingSetBytes, 64 * 1024);
        const std::uint64_t passes = std::max<std::uint64_t>(kBurstBytes / bytes, 1);
        LOADER_TRY(ceilings.workingSetReadBytesPerSecond,
                   meter.read(static_cast<std::size_t>(bytes), static_cast<std::size_t>(passes)));
    }
    LOADER_TRY(ceilings.int8OpsPerSecond, meter.int8());
    LOADER_TRY(ceilings.int16OpsPerSecond, meter.int16());
    LOADER_TRY(ceilings.f32FlopsPerSecond, meter.f32());
    return ceilings;
}

Ceilings larger(const Ceilings& one, const Ceilings& other) {
    Ceilings both = one;
    const auto take = [](double& figure, double second) { figure = std::max(figure, second); };
    take(both.memoryReadBytesPerSecond, other.memoryReadBytesPerSecond);
    take(both.workingSetReadBytesPerSecond, other.workingSetReadBytesPerSecond);
    take(both.int8OpsPerSecond, other.int8OpsPerSecond);
    take(both.int16OpsPerSecond, other.int16OpsPerSecond);
    take(both.f32FlopsPerSecond, other.f32FlopsPerSecond);
    return both;
}

}  // namespace loader::host
