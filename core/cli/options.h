// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Command lines as data: every command is one row with its options; parsing and --help come from the same
// row.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"

namespace loader::cli {

struct OptionSpec {
    /// Without the dashes; the first form of the option, by which the program asks for it.
    std::string_view name;
    /// 0 where there is no short form.
    char letter = 0;
    /// What stands for the value in --help; empty for a switch.
    std::string_view value;
    std::string_view help;
    bool repeatable = false;
    /// Where not empty, the value may be left out: the next word is the value only if it ends like this.
    std::string_view valueEnding = {};
};

struct Context;

struct CommandSpec {
    std::string_view name;
    std::string_view summary;
    /// The part of the usage line behind the name.
    std::string_view operands;
    std::size_t minOperands = 0;
    std::size_t maxOperands = 0;
    std::vector<std::span<const OptionSpec>> options;
    /// Null for a command that is not built yet. @return the exit status
    Result<int> (*run)(Context&) = nullptr;
};

/// What the user wrote behind the name of a command.
class Arguments {
public:
    /// `--option value` and `--option=value`; `--` ends the options; anything unknown is X001.
    static Result<Arguments> parse(const CommandSpec& command, std::span<const std::string> words);

    bool has(std::string_view option) const { return m_values.find(option) != m_values.end(); }
    /// The last value where an option came more than once.
    std::optional<std::string> text(std::string_view option) const;
    std::vector<std::string> texts(std::string_view option) const;
    /// @errors X001 not a whole number between least and most
    Result<std::optional<std::uint64_t>> number(std::string_view option, std::uint64_t least,
                                                std::uint64_t most) const;
    /// @errors X001 not a number
    Result<std::optional<double>> real(std::string_view option) const;
    std::span<const std::string> operands() const { return m_operands; }

private:
    Status takeLong(const CommandSpec& command, std::span<const std::string> words, std::size_t& at);
    Status takeShort(const CommandSpec& command, std::span<const std::string> words, std::size_t& at);
    Status store(const OptionSpec& option, std::optional<std::string> attached,
                 std::span<const std::string> words, std::size_t& at);

    std::map<std::string, std::vector<std::string>, std::less<>> m_values;
    std::vector<std::string> m_operands;
};

/// A whole number and nothing else.
std::optional<std::uint64_t> wholeNumber(std::string_view text);

std::string helpOf(const CommandSpec& command);
std::string helpOfAll(std::span<const CommandSpec> commands);

}  // namespace loader::cli
