// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The regular expressions that models/config-user.yaml has for keys, as far as people and the program write
// them: letters, escaped letters, a point, .* and a final $. Anything else is told, not guessed. The time of
// a match is the product of the lengths at most.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loader::importers {

class NamePattern {
public:
    /// Nothing where the expression has other operators. A ^ in front is what every match has anyway.
    static std::optional<NamePattern> parse(std::string_view expression);

    /// As Python's re.match in lower case: from the beginning, to the end only with $.
    bool matches(std::string_view name) const;
    /// The name itself where the expression means exactly one, read as its writer did: a point is a point.
    std::optional<std::string> plainName() const;
    /// Whether it fits every name.
    bool matchesAll() const;

private:
    struct Step {
        enum class Kind : unsigned char { Letter, Any, AnyRun };
        Kind kind;
        char letter;
    };
    std::vector<Step> m_steps;
    bool m_toEnd = false;
};

}  // namespace loader::importers
