// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/protocol/wire.h"

#include <cstring>

#include "core/engine/base/utf8.h"

namespace loader::protocol {

void PayloadWriter::operator()(const std::string& text) {
    // Names of files and words of drivers may be anything; whoever reads takes nothing but UTF-8.
    if (!utf8::isValid(text)) return (*this)(utf8::sanitized(text));
    (*this)(static_cast<std::uint32_t>(text.size()));
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    m_bytes.insert(m_bytes.end(), bytes, bytes + text.size());
}

void PayloadWriter::operator()(const Error& error) {
    (*this)(std::string(error.name()));
    (*this)(error.args());
    (*this)(error.place());
}

bool PayloadReader::take(std::size_t count) {
    if (!m_fine || count > m_rest.size()) {
        m_fine = false;
        return false;
    }
    m_taken = m_rest.first(count);
    m_rest = m_rest.subspan(count);
    return true;
}

void PayloadReader::operator()(std::string& text) {
    std::uint32_t size = 0;
    (*this)(size);
    if (!take(size)) return;
    const std::string_view view(reinterpret_cast<const char*>(m_taken.data()), m_taken.size());
    if (!utf8::isValid(view)) {
        m_fine = false;
        return;
    }
    text.assign(view);
}

void PayloadReader::readError(std::vector<Error>& errors) {
    std::string name;
    std::vector<std::string> args;
    std::string place;
    (*this)(name);
    (*this)(args);
    (*this)(place);
    if (!m_fine) return;
    const auto code = errorFromName(name);
    if (!code) {
        m_fine = false;
        return;
    }
    errors.emplace_back(*code, std::move(args), std::move(place));
}

}  // namespace loader::protocol
