// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/text-generation-webui/command_flags.h"

#include <algorithm>

namespace loader::importers {
namespace {

bool isSpace(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// The next word; quotes hold spaces together, # at the beginning of a word ends the line.
bool takeWord(std::string_view& text, std::string& word) {
    word.clear();
    std::size_t at = 0;
    while (at < text.size() && (isSpace(text[at]) || text[at] == '#')) {
        if (text[at] == '#') at = std::min(text.find_first_of("\r\n", at), text.size());
        if (at < text.size()) ++at;
    }
    const bool any = at < text.size();
    char quote = 0;
    for (; at < text.size() && (quote != 0 || !isSpace(text[at])); ++at) {
        const char c = text[at];
        if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
        else if (c == quote)
            quote = 0;
        else
            word += c;
    }
    text.remove_prefix(at);
    return any;
}

/// "--x", not "-1".
bool isFlag(const std::string& word) {
    return word.starts_with("--") && word.size() > 2;
}

void addValue(app::Json& value, std::string word) {
    if (value == true)
        value = std::move(word);
    else if (value.is_string())
        value = app::Json::array({std::move(value), std::move(word)});
    else
        value.push_back(std::move(word));
}

}  // namespace

CommandFlags parseCommandFlags(std::string_view text) {
    CommandFlags parsed;
    std::string word;
    while (takeWord(text, word)) {
        if (!isFlag(word)) {
            if (parsed.flags.empty())
                parsed.strays.push_back(word);
            else
                addValue(parsed.flags.back().value, word);
            continue;
        }
        const std::size_t equals = word.find('=');
        CommandFlag flag{word.substr(0, equals),
                         word.substr(2, equals == std::string::npos ? equals : equals - 2), true};
        std::replace(flag.name.begin(), flag.name.end(), '-', '_');
        if (equals != std::string::npos) flag.value = word.substr(equals + 1);
        parsed.flags.push_back(std::move(flag));
    }
    return parsed;
}

}  // namespace loader::importers
