// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/error.h"

#include <iterator>
#include <utility>

namespace loader {
namespace {

struct CodeRow {
    std::string_view name;
    ErrorKind kind;
    std::string_view sentence;
    std::string_view action;
};

constexpr CodeRow kRows[] = {
#define LOADER_ERROR(code, kind, sentence, action) {#code, ErrorKind::kind, sentence, action},
#include "core/engine/base/error_codes.inc"
};

const CodeRow& rowOf(Errc code) {
    return kRows[static_cast<std::size_t>(code)];
}

/// Replaces {0} to {9} by the arguments; a missing argument becomes a question mark.
std::string expand(std::string_view pattern, const std::vector<std::string>& args) {
    std::string text;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const bool slot = pattern[i] == '{' && i + 2 < pattern.size() && pattern[i + 2] == '}' &&
                          pattern[i + 1] >= '0' && pattern[i + 1] <= '9';
        if (!slot) {
            text += pattern[i];
            continue;
        }
        const auto index = static_cast<std::size_t>(pattern[i + 1] - '0');
        text += index < args.size() ? args[index] : "?";
        i += 2;
    }
    return text;
}

}  // namespace

Error::Error(Errc code, std::vector<std::string> args, std::string place, SourceLocation origin)
    : m_code(code), m_args(std::move(args)), m_place(std::move(place)), m_origin(origin) {}

ErrorKind Error::kind() const {
    return rowOf(m_code).kind;
}

std::string_view Error::name() const {
    return rowOf(m_code).name;
}

std::string Error::message() const {
    return expand(rowOf(m_code).sentence, m_args);
}

std::string Error::action() const {
    return expand(rowOf(m_code).action, m_args);
}

Error&& Error::within(std::string_view outer) && {
    m_place = m_place.empty() ? std::string(outer) : std::string(outer) + ": " + m_place;
    return std::move(*this);
}

std::string Error::toString() const {
    std::string text = std::string(name()) + ": " + message();
    if (!m_place.empty()) text += " [" + m_place + "]";
    return text + " " + action();
}

std::optional<Errc> errorFromName(std::string_view name) {
    for (std::size_t i = 0; i < std::size(kRows); ++i) {
        if (kRows[i].name == name) return static_cast<Errc>(i);
    }
    return std::nullopt;
}

std::string_view errorName(Errc code) {
    return rowOf(code).name;
}

}  // namespace loader
