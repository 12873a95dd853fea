// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <locale>
#include <sstream>

namespace loader::cli {
namespace {

const OptionSpec* find(const CommandSpec& command, std::string_view name, char letter) {
    for (const auto& group : command.options) {
        for (const OptionSpec& option : group) {
            const bool sameLetter = letter != 0 && option.letter == letter;
            if (sameLetter || (letter == 0 && option.name == name)) return &option;
        }
    }
    return nullptr;
}

Error usage(const std::string& sentence) {
    return Error(Errc::X001, {sentence});
}

std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

}  // namespace

std::optional<std::uint64_t> wholeNumber(std::string_view text) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, fault] = std::from_chars(text.data(), end, value);
    if (fault != std::errc() || stop != end || text.empty()) return std::nullopt;
    return value;
}

Result<Arguments> Arguments::parse(const CommandSpec& command, std::span<const std::string> words) {
    Arguments arguments;
    bool optionsEnded = false;
    for (std::size_t at = 0; at < words.size(); ++at) {
        const std::string& word = words[at];
        // A negative number is a value: no option begins with a digit.
        const bool number = word.size() > 1 && ((word[1] >= '0' && word[1] <= '9') || word[1] == '.');
        const bool isOption = !optionsEnded && word.size() > 1 && word[0] == '-' && !number;
        if (!isOption) {
            arguments.m_operands.push_back(word);
        } else if (word == "--") {
            optionsEnded = true;
        } else if (word[1] == '-') {
            LOADER_CHECK(arguments.takeLong(command, words, at));
        } else {
            LOADER_CHECK(arguments.takeShort(command, words, at));
        }
    }
    if (arguments.has("help")) return arguments;
    const std::size_t count = arguments.m_operands.size();
    if (count < command.minOperands || count > command.maxOperands) {
        return usage("Usage: gguf " + std::string(command.name) + " " + std::string(command.operands) +
                     " (there are " + std::to_string(count) + " operands).");
    }
    return arguments;
}

Status Arguments::takeLong(const CommandSpec& command, std::span<const std::string> words, std::size_t& at) {
    const std::string word = words[at].substr(2);
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const OptionSpec* option = find(command, name, 0);
    if (!option) return usage("There is no option --" + name + " of gguf " + std::string(command.name) + ".");
    std::optional<std::string> attached;
    if (equals != std::string::npos) attached = word.substr(equals + 1);
    return store(*option, std::move(attached), words, at);
}

Status Arguments::takeShort(const CommandSpec& command, std::span<const std::string> words, std::size_t& at) {
    const std::string& word = words[at];
    const OptionSpec* option = find(command, {}, word[1]);
    if (!option) return usage("There is no option " + word + " of gguf " + std::string(command.name) + ".");
    std::optional<std::string> attached;
    if (word.size() > 2) attached = word.substr(word[2] == '=' ? 3 : 2);
    return store(*option, std::move(attached), words, at);
}

Status Arguments::store(const OptionSpec& option, std::optional<std::string> attached,
                        std::span<const std::string> words, std::size_t& at) {
    const std::string name(option.name);
    if (option.value.empty()) {
        if (attached) return usage("The option --" + name + " takes no value.");
        m_values[name];
        return {};
    }
    const bool optional = !option.valueEnding.empty();
    if (!attached && optional) {
        const bool follows = at + 1 < words.size() && !words[at + 1].starts_with('-') &&
                             std::string_view(words[at + 1]).ends_with(option.valueEnding);
        attached = follows ? words[++at] : std::string();
    }
    if (!attached) {
        if (at + 1 >= words.size()) return usage("The option --" + name + " needs a value.");
        attached = words[++at];
    }
    m_values[name].push_back(std::move(*attached));
    return {};
}

std::optional<std::string> Arguments::text(std::string_view option) const {
    const auto found = m_values.find(option);
    if (found == m_values.end() || found->second.empty()) return std::nullopt;
    return found->second.back();
}

std::vector<std::string> Arguments::texts(std::string_view option) const {
    const auto found = m_values.find(option);
    return found == m_values.end() ? std::vector<std::string>() : found->second;
}

Result<std::optional<std::uint64_t>> Arguments::number(std::string_view option, std::uint64_t least,
                                                       std::uint64_t most) const {
    const auto given = text(option);
    if (!given) return std::optional<std::uint64_t>();
    const auto value = wholeNumber(*given);
    if (!value || *value < least || *value > most) {
        return usage("The option --" + std::string(option) + " takes a whole number from " +
                     std::to_string(least) + " to " + std::to_string(most) + ", not " + *given + ".");
    }
    return value;
}

Result<std::optional<double>> Arguments::real(std::string_view option) const {
    const auto given = text(option);
    if (!given) return std::optional<double>();
    // A decimal point whatever the language of the system.
    std::istringstream stream(*given);
    stream.imbue(std::locale::classic());
    double value = 0.0;
    stream >> value;
    const bool whole = !stream.fail() && stream.peek() == std::istringstream::traits_type::eof();
    if (!whole || !std::isfinite(value))
        return usage("The option --" + std::string(option) + " takes a number, not " + *given + ".");
    return std::optional<double>(value);
}

std::string helpOf(const CommandSpec& command) {
    std::string text = "gguf " + std::string(command.name) + " " + std::string(command.operands) + "\n\n" +
                       std::string(command.summary) + "\n";
    if (!command.run) text += "Not built yet in this version.\n";
    text += "\nOptions:\n";
    for (const auto& group : command.options) {
        for (const OptionSpec& option : group) {
            std::string form = option.letter != 0 ? std::string("  -") + option.letter + ", " : "      ";
            form += "--" + std::string(option.name);
            const std::string value(option.value);
            if (!value.empty()) form += option.valueEnding.empty() ? " " + value : " [" + value + "]";
            text += padded(std::move(form), 30) + " " + std::string(option.help) + "\n";
        }
    }
    return text;
}

std::string helpOfAll(std::span<const CommandSpec> commands) {
    std::string text =
        "gguf COMMAND [options]\n\nRuns language models in the GGUF format on this machine.\n"
        "MODEL is a path, a name from the library, or guide for the built-in model.\n\nCommands:\n";
    for (const CommandSpec& command : commands) {
        if (!command.run) continue;
        text += "  " + padded(std::string(command.name), 14) + std::string(command.summary) + "\n";
    }
    text += "\nNot built yet in this version:\n ";
    for (const CommandSpec& command : commands) {
        if (!command.run) text += " " + std::string(command.name);
    }
    text +=
        "\n\nEvery command takes --json and --help.\nExit status: 0 done, 2 usage, 3 bad input file, 4 not "
        "enough "
        "resources, 5 back end failed,\n6 configuration, 130 cancelled.\n";
    return text;
}

}  // namespace loader::cli
