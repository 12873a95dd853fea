// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The kernels of every tier that the processor has, checked without Qt, so that the program also runs where
// only the engine was compiled for: under an emulator. Counts what it checked; its exit code says whether all
// held.
//   check_kernels [--long] [--expect TIER]   --expect fails where another tier is detected
// LOADER_TEST_LONG in the environment means --long: every shape instead of a selection.

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "backends/cpu/kernels/denormals.h"
#include "backends/cpu/kernels/matmul.h"
#include "tests/contract/kernels/kernel_problem.h"
#include "tests/contract/kernels/random_weights.h"
#include "tests/contract/kernels/vector_checks.h"

using namespace loader;
using namespace loader::cpu;
using quant::TensorType;

namespace {

struct Options {
    bool all = false;
    std::optional<IsaTier> expected;
};

struct Counts {
    int held = 0;
    int failed = 0;

    void add(const std::string& what, const std::string& fault) {
        ++(fault.empty() ? held : failed);
        if (!fault.empty()) std::printf("FAILED %s: %s\n", what.c_str(), fault.c_str());
    }
};

std::string shapeText(const test::Problem& p, std::size_t tokens) {
    return std::to_string(p.rows) + " x " + std::to_string(p.columns) + " times " + std::to_string(tokens);
}

void checkShape(const KernelTable& kernels, const std::string& name, const test::Problem& p,
                const std::vector<std::size_t>& batches, Counts& counts) {
    for (const std::size_t tokens : batches) {
        counts.add(name + " " + shapeText(p, tokens),
                   test::faultOf(kernels, p, 0, p.rows, tokens, OutputMode::Store));
    }
    for (const std::size_t tokens : {std::size_t{5}, std::size_t{25}}) {
        counts.add(name + " added " + shapeText(p, tokens),
                   test::faultOf(kernels, p, p.rows / 3, p.rows, tokens, OutputMode::Add));
    }
}

void checkType(const KernelTable& kernels, TensorType type, bool all, Counts& counts) {
    const std::string name = std::string(tierName(kernels.tier)) + " " + std::string(quant::typeName(type));
    if (!kernels.supports(type)) return counts.add(name, "has no kernels");
    const std::vector<std::size_t> batches =
        all ? std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 24, 31, 32, 33, 65}
            : std::vector<std::size_t>{1, 2, 3, 6, 33};
    std::vector<std::size_t> widths = test::columnsFor(type);
    if (!all) widths.resize(2);
    for (const std::size_t columns : widths) {
        for (const std::size_t rows : {std::size_t{1}, std::size_t{7}, std::size_t{33}}) {
            const auto p =
                test::makeProblem(kernels, type, rows, columns, batches.back(), test::Scales::Sensible);
            if (!p) return counts.add(name, "no guarded memory");
            checkShape(kernels, name, *p, batches, counts);
        }
    }
    // Crosses from one panel to the next.
    const std::size_t block = quant::typeInfo(type).blockValues;
    const auto wide = test::makeProblem(kernels, type, 3, 4096 + (block == 1 ? 37 : block), all ? 25 : 24,
                                        test::Scales::Sensible);
    if (!wide) return counts.add(name, "no guarded memory");
    for (const std::size_t tokens : {std::size_t{1}, wide->tokens}) {
        counts.add(name + " " + shapeText(*wide, tokens),
                   test::faultOf(kernels, *wide, 0, 3, tokens, OutputMode::Add));
    }
    if (!test::hasHalfScales(type)) return;
    const DenormalsOff quick;
    for (const test::Scales scales : {test::Scales::Zero, test::Scales::Largest, test::Scales::Denormal}) {
        const auto p = test::makeProblem(kernels, type, 3, 3 * block, 26, scales);
        if (!p) return counts.add(name, "no guarded memory");
        for (const std::size_t tokens : {std::size_t{3}, std::size_t{26}}) {
            counts.add(name + " extreme scales " + shapeText(*p, tokens),
                       test::faultOf(kernels, *p, 0, 3, tokens, OutputMode::Store));
        }
    }
}

int check(const Options& options) {
    Counts counts;
    const IsaTier machine = detectTier();
    std::printf("the processor has the tier %s\n", std::string(tierName(machine)).c_str());
    if (options.expected && *options.expected != machine) {
        counts.add("detection", "expected " + std::string(tierName(*options.expected)));
    }
    for (const IsaTier tier : allTiers()) {
        if (tier > machine) continue;
        const KernelTable kernels = selectKernels(tier);
        for (const std::string& name : test::vectorChecks()) {
            counts.add(std::string(tierName(tier)) + " " + name, test::faultOfVectors(kernels, name));
        }
        for (const TensorType type : test::weightTypes())
            checkType(kernels, type, options.all, counts);
        std::printf("%s: %d held, %d failed so far\n", std::string(tierName(tier)).c_str(), counts.held,
                    counts.failed);
        std::fflush(stdout);
    }
    return counts.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    options.all = std::getenv("LOADER_TEST_LONG") != nullptr;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--long") {
            options.all = true;
        } else if (argument == "--expect" && i + 1 < argc && tierFromName(argv[i + 1])) {
            options.expected = tierFromName(argv[++i]);
        } else {
            std::printf("usage: check_kernels [--long] [--expect TIER]\n");
            return 2;
        }
    }
    return check(options);
}
