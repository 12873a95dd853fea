// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Checks what a file says about its vocabulary and builds the Vocabulary from it. Used by vocabulary.cpp
// only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/engine/base/result.h"
#include "core/engine/text/vocabulary.h"

namespace loader::text {

/// The byte of "<0x41>": exactly six characters with two hexadecimal digits; empty for all else.
std::optional<std::uint8_t> byteOfTokenText(std::string_view text);

class VocabularyBuilder {
public:
    explicit VocabularyBuilder(const VocabularyData& data) : m_data(data) {}
    /// @errors T201 to T210
    Result<std::shared_ptr<const Vocabulary>> build();

private:
    Status readKind();
    Status checkCharacterMap() const;
    Status readTypes();
    Status readTexts();
    Status checkText(std::size_t id) const;
    Status readScores();
    Status readByteTokens();
    void findByteLevelTokens();
    Status readSpecialIds();
    Status checkSpecialIds() const;
    Status readFlags();
    void markSpecialTokens();
    void findWellKnownTokens();
    void findEndOfGeneration();
    void listWholeTokens();
    void markPlainTokens();
    Status readMerges();
    Status readMerge(std::size_t rank, std::string_view rule);
    void studyWordBorders();
    void warn(Error warning);
    std::string describe(std::size_t id) const;

    const VocabularyData& m_data;
    std::shared_ptr<Vocabulary> m_result;
    std::string m_scratch;
};

}  // namespace loader::text
