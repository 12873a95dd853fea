// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Speed of the CPU kernels in one thread: products of many tokens in GOPS (a multiplication and an addition
// are two operations), of one token in GB/s of weights read. Best of several runs, in processor time of the
// thread, which leaves out when it was not running. Not a test; on a shared machine the figures are lower
// bounds.
//   bench_kernels [tier] [type …]

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/kernels/denormals.h"
#include "backends/cpu/kernels/matmul.h"
#include "tests/contract/kernels/random_weights.h"

using namespace loader;
using namespace loader::cpu;
using quant::TensorType;

namespace {

double threadSeconds() {
#ifdef CLOCK_THREAD_CPUTIME_ID
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
#else
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
#endif
}

struct Matrix {
    std::vector<std::byte> bytes;
    WeightView view;
};

/// Random blocks for a few rows, repeated: the content of the bytes does not change the speed.
Matrix makeMatrix(TensorType type, std::size_t rows, std::size_t columns) {
    std::mt19937 random(1);
    constexpr std::size_t kDistinct = 64;
    const std::vector<std::byte> part =
        test::randomWeights(type, kDistinct * columns, test::Scales::Sensible, random);
    const std::size_t rowBytes = part.size() / kDistinct;
    Matrix matrix;
    matrix.bytes.resize(rows * rowBytes);
    for (std::size_t at = 0; at < matrix.bytes.size(); at += part.size()) {
        std::memcpy(matrix.bytes.data() + at, part.data(), std::min(part.size(), matrix.bytes.size() - at));
    }
    matrix.view = {type, matrix.bytes.data(), rows, columns, rowBytes};
    return matrix;
}

double bestSeconds(const KernelTable& kernels, const Matrix& matrix, std::size_t tokens, int runs) {
    std::mt19937 random(2);
    const std::size_t columns = matrix.view.columns;
    const ActivationKind kind = tokens >= kPanelTokens ? kernels.wideActivationKind(matrix.view.type)
                                                       : kernels.activationKind(matrix.view.type);
    const ActivationLayout layout = activationLayout(kind, columns);
    const std::vector<float> in = test::randomFloats(columns * tokens, random);
    std::vector<std::byte> records(layout.stride * tokens + 64);
    std::byte* first = records.data() + (64 - reinterpret_cast<std::uintptr_t>(records.data()) % 64);
    for (std::size_t t = 0; t < tokens; ++t) {
        quantizeActivation(kernels, kind, in.data() + t * columns, columns, first + t * layout.stride);
    }
    const ActivationView activation = quantizedActivations(kind, first, columns);
    std::vector<float> out(matrix.view.rows * tokens);
    const Result<ScratchBuffer> scratch = ScratchBuffer::create(scratchBytes(columns));
    if (!scratch.ok()) return 0;
    double best = 1e30;
    for (int run = 0; run < runs; ++run) {
        const double start = threadSeconds();
        multiplyRows(kernels, matrix.view, 0, matrix.view.rows, activation, tokens, out.data(),
                     matrix.view.rows, scratch->view());
        best = std::min(best, threadSeconds() - start);
    }
    return best;
}

void report(const KernelTable& kernels, TensorType type) {
    constexpr std::size_t kColumns = 4096;
    constexpr std::size_t kRows = 2048;
    const Matrix small = makeMatrix(type, kRows, kColumns);
    std::printf("%-8s %-8s", std::string(tierName(kernels.tier)).c_str(),
                std::string(quant::typeName(type)).c_str());
    for (const std::size_t tokens : {4, 8, 24, 128, 512}) {
        const double operations =
            2.0 * static_cast<double>(kRows) * static_cast<double>(kColumns) * static_cast<double>(tokens);
        const double seconds = bestSeconds(kernels, small, tokens, tokens > 100 ? 5 : 8);
        std::printf(" %3zu: %6.1f", tokens, operations / seconds * 1e-9);
    }
    const Matrix big = makeMatrix(type, (std::size_t{192} << 20) / small.view.rowBytes, kColumns);
    const Matrix resident = makeMatrix(type, kRows / 16, kColumns);
    std::printf(" GOPS   1: %5.1f GB/s, cached %5.1f GB/s\n",
                static_cast<double>(big.bytes.size()) / bestSeconds(kernels, big, 1, 4) * 1e-9,
                static_cast<double>(resident.bytes.size()) / bestSeconds(kernels, resident, 1, 40) * 1e-9);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const DenormalsOff off;
    const KernelTable kernels = selectKernels(allowedTier(argc > 1 ? tierFromName(argv[1]) : std::nullopt));
    std::printf("tokens: GOPS for 2048 rows of 4096; one thread\n");
    for (int i = 2; i < argc; ++i) {
        const auto type = quant::typeFromName(argv[i]);
        if (type && kernels.supports(*type)) report(kernels, *type);
    }
    if (argc > 2) return 0;
    for (const TensorType type : test::weightTypes())
        report(kernels, type);
    return 0;
}
