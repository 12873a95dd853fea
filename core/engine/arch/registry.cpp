// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/arch/registry.h"

namespace loader::arch {

#define LOADER_ARCHITECTURE(constant) extern const ArchSpec constant;
#include "core/engine/arch/registry.inc"

namespace {

const ArchSpec* const kSpecs[] = {
#define LOADER_ARCHITECTURE(constant) &constant,
#include "core/engine/arch/registry.inc"
};

}  // namespace

std::span<const ArchSpec* const> allSpecs() {
    return kSpecs;
}

const ArchSpec* findSpec(std::string_view name) {
    for (const ArchSpec* spec : kSpecs) {
        if (spec->name == name) return spec;
    }
    return nullptr;
}

std::string knownNames() {
    std::string names;
    for (const ArchSpec* spec : kSpecs) {
        if (!names.empty()) names += ", ";
        names += spec->name;
    }
    return names;
}

}  // namespace loader::arch
