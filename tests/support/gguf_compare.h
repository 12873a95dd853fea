// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Whether two files say the same, for tests that read one file in several ways.
#pragma once

#include <string>

#include "core/engine/gguf/file.h"

namespace loader::test {

/// All that a File or its refusal says, except the metadata itself, which has an operator==.
inline std::string describe(const Result<gguf::File>& result) {
    if (!result.ok()) return result.error().toString();
    const gguf::File& file = *result;
    std::string text = "version " + std::to_string(file.version()) + " alignment " +
                       std::to_string(file.alignment()) + " data " + std::to_string(file.dataOffset()) +
                       " entries " + std::to_string(file.metadata().size()) + "\n";
    for (const gguf::TensorInfo& tensor : file.tensors()) {
        text += std::string(tensor.name) + " " + std::to_string(static_cast<unsigned>(tensor.type));
        for (const std::uint64_t dim : tensor.shape())
            text += " " + std::to_string(dim);
        text += " @" + std::to_string(tensor.offset) + "+" + std::to_string(tensor.bytes) + "\n";
    }
    for (const Error& warning : file.warnings())
        text += warning.toString() + "\n";
    return text;
}

inline bool saySame(const Result<gguf::File>& a, const Result<gguf::File>& b) {
    return describe(a) == describe(b) && (!a.ok() || a->metadata() == b->metadata());
}

}  // namespace loader::test
