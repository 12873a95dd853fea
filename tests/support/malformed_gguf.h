// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// 229 GGUF files that are broken, or just not broken, in one place each, with the answer that the reader must
// give. All derive from one valid file of 480 bytes. Files that only later layers can judge carry that layer,
// so that its tests use the same list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/engine/base/byte_source.h"
#include "core/engine/base/error.h"

namespace loader::test {

/// Bytes that are written out, then zeros up to size: a sparse file.
struct HoledFile {
    std::vector<std::byte> bytes;
    std::uint64_t size = 0;
};

/// A HoledFile without the memory for its zeros.
class HoledSource final : public ByteSource {
public:
    explicit HoledSource(const HoledFile& file) : m_file(file) {}
    std::uint64_t size() const override { return m_file.size; }
    Status read(std::uint64_t offset, std::span<std::byte> out) const override;

private:
    const HoledFile& m_file;
};

/// Who has the last word on a file that the container accepts.
enum class Judge : std::uint8_t {
    Container,
    WhenUsed,      // Metadata::requireFinite("test.double")
    Architecture,  // M codes
    Vocabulary,    // T codes
};

struct MalformedCase {
    int number = 0;
    std::string description;
    /// What the container must refuse it with; nothing where it must accept it.
    std::optional<Errc> error;
    /// A warning that must be there.
    std::optional<Errc> warning;
    Judge judge = Judge::Container;
    /// What the judge must answer, where that is not the container.
    std::optional<Errc> later;
    std::function<HoledFile()> build;
};

/// All cases, in order of their numbers.
const std::vector<MalformedCase>& malformedCases();
/// The valid file that the cases derive from.
std::vector<std::byte> validFile();

}  // namespace loader::test
