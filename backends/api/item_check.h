// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Whether the items of a batch hold what the first loaded segment takes. Header only, so that back ends share
// no library.
#pragma once

#include <span>
#include <string>

#include "backends/api/backend.h"

namespace loader::backend {

/// @param embeds the first loaded segment looks tokens up; otherwise each item has to bring a row
/// @errors B708 no row, R902 beyond learned positions, T211 no such token
inline Status checkItems(const graph::Program& program, std::span<const BatchItem> batch, bool embeds) {
    for (const BatchItem& item : batch) {
        if (program.positionLimit != 0 && item.position[0] >= program.positionLimit) {
            return Error(Errc::R902,
                         {std::to_string(item.position[0] + 1), std::to_string(program.positionLimit)});
        }
        if (item.token == kNoToken && item.row) continue;
        if (item.token == kNoToken || !embeds) {
            return Error(Errc::B708, {std::to_string(item.position[0]), "the item has no row"});
        }
        if (item.token < 0 || static_cast<std::uint32_t>(item.token) >= program.vocabulary) {
            return Error(Errc::T211, {std::to_string(item.token), std::to_string(program.vocabulary)});
        }
    }
    return {};
}

}  // namespace loader::backend
