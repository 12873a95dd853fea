// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which of the .gguf files of a folder are models: parts of one set are one model, projectors belong to the
// models beside them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loader::importers {

/// The name of a part: "x-00002-of-00003.gguf".
struct PartName {
    std::string stem;
    unsigned part = 0;
    unsigned parts = 0;
};
/// parts is 0 where the name is no part's.
PartName partNameOf(std::string_view fileName);
bool isProjectorName(std::string_view fileName);
bool isGgufName(std::string_view fileName);

struct ModelSet {
    /// Relative to the folder that was given, with /. Of a set its first part.
    std::string file;
    unsigned parts = 1;
    /// Relative; empty where there is none.
    std::string projector;
    /// Why it is no model, as a sentence without its full stop; empty for a model.
    std::string fault;
    /// "3 parts; its projector is mmproj-x.gguf"; may be empty.
    std::string note() const;
};

/// @param files of a folder, relative to it; those that are no .gguf by name are left out
/// @return sorted by name: models, incomplete sets, projectors without a model. Nothing is opened.
std::vector<ModelSet> modelSets(const std::vector<std::string>& files);

/// "Q4_K_M" of "x-Q4_K_M.gguf", "IQ4_NL", "F16"; empty where the name tells none.
std::string quantInName(std::string_view fileName);
/// 0 for Q4 and IQ4, 1 for Q5, 2 for Q8, 3 for everything else: the order in which auto chooses.
unsigned quantRank(std::string_view fileName);

}  // namespace loader::importers
