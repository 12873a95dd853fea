// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/text-generation-webui/name_pattern.h"

#include <algorithm>

namespace loader::importers {
namespace {

char lowered(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool isOperator(char c) {
    return std::string_view("*+?()[]{}|^$").find(c) != std::string_view::npos;
}

bool isLetterOrDigit(char c) {
    return (c >= '0' && c <= '9') || (lowered(c) >= 'a' && lowered(c) <= 'z');
}

}  // namespace

std::optional<NamePattern> NamePattern::parse(std::string_view expression) {
    constexpr std::size_t kLongest = 4096;
    if (expression.empty() || expression.size() > kLongest) return std::nullopt;
    NamePattern pattern;
    if (expression.front() == '^') expression.remove_prefix(1);
    for (std::size_t at = 0; at < expression.size(); ++at) {
        const char c = expression[at];
        if (c == '$' && at + 1 == expression.size()) {
            pattern.m_toEnd = true;
        } else if (c == '\\') {
            // \d and its like are classes; only signs may be escaped.
            if (at + 1 >= expression.size() || isLetterOrDigit(expression[at + 1])) return std::nullopt;
            pattern.m_steps.push_back({Step::Kind::Letter, expression[++at]});
        } else if (c == '.' && at + 1 < expression.size() && expression[at + 1] == '*') {
            ++at;
            pattern.m_steps.push_back({Step::Kind::AnyRun, 0});
        } else if (isOperator(c)) {
            return std::nullopt;
        } else {
            pattern.m_steps.push_back({c == '.' ? Step::Kind::Any : Step::Kind::Letter, c});
        }
    }
    return pattern;
}

bool NamePattern::matches(std::string_view name) const {
    // reached[i]: the steps so far can end in front of letter i.
    std::vector<bool> reached(name.size() + 1, false);
    reached[0] = true;
    for (const Step& step : m_steps) {
        std::vector<bool> next(name.size() + 1, false);
        bool running = false;
        for (std::size_t i = 0; i <= name.size(); ++i) {
            running = running || reached[i];
            if (step.kind == Step::Kind::AnyRun) {
                next[i] = running;
                continue;
            }
            const bool fits =
                i < name.size() && (step.kind == Step::Kind::Any || lowered(name[i]) == lowered(step.letter));
            if (reached[i] && fits) next[i + 1] = true;
        }
        reached = std::move(next);
    }
    if (m_toEnd) return reached.back();
    return std::find(reached.begin(), reached.end(), true) != reached.end();
}

std::optional<std::string> NamePattern::plainName() const {
    std::string name;
    for (const Step& step : m_steps) {
        if (step.kind == Step::Kind::AnyRun) return std::nullopt;
        name += step.kind == Step::Kind::Any ? '.' : step.letter;
    }
    if (name.empty() || !m_toEnd) return std::nullopt;
    return name;
}

bool NamePattern::matchesAll() const {
    const auto isRun = [](const Step& step) { return step.kind == Step::Kind::AnyRun; };
    return std::all_of(m_steps.begin(), m_steps.end(), isRun) && (!m_steps.empty() || !m_toEnd);
}

}  // namespace loader::importers
