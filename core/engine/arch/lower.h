// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From a file's metadata and tensor table to a program. Everything that is missing, surplus or of the wrong
// shape is found here, before a weight is read.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/gguf/file.h"
#include "core/engine/graph/program.h"

namespace loader::arch {

struct Lowered {
    graph::Program program;
    /// Oddities that do not prevent running (M124 for layers beyond the last).
    std::vector<Error> warnings;
};

/// @param architecture overrides general.architecture where not empty
/// @errors M101 to M130
Result<Lowered> lower(const gguf::Metadata& metadata, std::span<const gguf::TensorInfo> tensors,
                      const std::string& architecture = {});

}  // namespace loader::arch
