// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the library and the inspector show of a file, read from its header alone: no tensor data is touched
// and nothing is lowered for a list.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/engine/gguf/model_file.h"
#include "core/protocol/file_messages.h"

namespace loader::host {

/// Bytes and values of each tensor type, the one with most bytes first.
std::vector<protocol::TypeShare> typeShares(std::span<const gguf::TensorInfo> tensors);
/// The type that holds most values: "Q4_K"; empty where there is none.
std::string mainType(std::span<const protocol::TypeShare> types);

/// One file, which may be a part of a split set. @errors GG001 … GG062, F801, F805
Result<protocol::IndexFacts> readIndexFacts(const ByteSource& source);

/// Everything that stands in a header, in pages that fit into a message.
/// @thread confined to one thread; the file must outlive it
class DetailPages {
public:
    /// @param architecture overrides general.architecture where not empty
    DetailPages(const gguf::ModelFile& file, std::string architecture);
    /// Nothing behind the last page.
    std::optional<protocol::FileDetails> next();

private:
    void finish(protocol::FileDetails& page);

    const gguf::ModelFile& m_file;
    std::string m_architecture;
    std::size_t m_entry = 0;
    std::size_t m_tensor = 0;
    bool m_over = false;
};

}  // namespace loader::host
