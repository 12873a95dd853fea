// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/text.h"

#include <algorithm>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/heap.h"

namespace loader::chat {
namespace {

/// A buffer below this size is not worth counting on its own.
constexpr std::size_t kFreeBytes = 64;

}  // namespace

Text::Text(std::string bytes, std::vector<Run> runs) : m_bytes(std::move(bytes)) {
    if (runs.size() > 1) {
        m_runs = std::move(runs);
    } else if (runs.size() == 1) {
        m_fromTemplate = runs.front().fromTemplate;
    }
}

bool Text::originAt(std::size_t position) const {
    if (m_runs.empty()) return m_fromTemplate;
    const auto run = std::upper_bound(m_runs.begin(), m_runs.end(), position,
                                      [](std::size_t at, const Run& r) { return at < r.end; });
    return run != m_runs.end() && run->fromTemplate;
}

Text Text::part(std::size_t begin, std::size_t end) const {
    if (m_runs.empty()) return Text(m_bytes.substr(begin, end - begin), m_fromTemplate);
    std::vector<Run> runs;
    auto run = std::upper_bound(m_runs.begin(), m_runs.end(), begin,
                                [](std::size_t at, const Run& r) { return at < r.end; });
    for (; run != m_runs.end() && begin < end; ++run) {
        const std::size_t stop = std::min<std::size_t>(run->end, end);
        runs.push_back({static_cast<std::uint32_t>(stop - begin), run->fromTemplate});
        if (stop == end) break;
    }
    return Text(m_bytes.substr(begin, end - begin), std::move(runs));
}

TextBuilder::~TextBuilder() {
    if (m_heap) m_heap->refund(m_charged);
}

bool TextBuilder::grow(std::size_t bytes) {
    if (m_full) return false;
    const std::size_t size = m_bytes.size();
    if (!m_heap) {
        m_full = bytes > m_outputLimit || size > m_outputLimit - bytes;
        return !m_full;
    }
    if (bytes > m_heap->limit()) {
        m_full = true;
        return false;
    }
    const std::size_t need = size + bytes + m_runs.size() * sizeof(Run);
    if (need > m_charged + kFreeBytes) {
        // The string doubles when it grows, so the charge does as well.
        const std::size_t target = need * 2;
        if (!m_heap->charge(target - m_charged)) {
            m_full = true;
            return false;
        }
        m_charged = target;
    }
    return true;
}

void TextBuilder::mark(bool fromTemplate) {
    const auto end = static_cast<std::uint32_t>(m_bytes.size());
    if (!m_runs.empty() && m_runs.back().fromTemplate == fromTemplate) {
        m_runs.back().end = end;
    } else {
        m_runs.push_back({end, fromTemplate});
    }
}

void TextBuilder::append(std::string_view bytes, bool fromTemplate) {
    if (bytes.empty() || !grow(bytes.size())) return;
    m_bytes.append(bytes);
    mark(fromTemplate);
}

void TextBuilder::append(std::size_t count, char fill, bool fromTemplate) {
    if (count == 0 || !grow(count)) return;
    m_bytes.append(count, fill);
    mark(fromTemplate);
}

void TextBuilder::append(const Text& text, std::size_t begin, std::size_t end) {
    const std::string_view bytes = text.bytes();
    if (text.uniform()) {
        append(bytes.substr(begin, end - begin), text.originAt(0));
        return;
    }
    auto run = std::upper_bound(text.runs().begin(), text.runs().end(), begin,
                                [](std::size_t at, const Run& r) { return at < r.end; });
    for (; run != text.runs().end() && begin < end; ++run) {
        const std::size_t stop = std::min<std::size_t>(run->end, end);
        append(bytes.substr(begin, stop - begin), run->fromTemplate);
        begin = stop;
    }
}

void TextBuilder::appendCodePoint(char32_t codePoint, bool fromTemplate) {
    if (!grow(4)) return;
    utf8::append(m_bytes, codePoint);
    mark(fromTemplate);
}

Status TextBuilder::status() const {
    if (!m_full) return {};
    if (m_heap) return m_heap->full();
    return Error(Errc::J404, {std::to_string(m_outputLimit)});
}

Text TextBuilder::take() {
    if (m_heap) m_heap->refund(m_charged);
    m_charged = 0;
    Text text(std::move(m_bytes), std::move(m_runs));
    m_bytes.clear();
    m_runs.clear();
    return text;
}

}  // namespace loader::chat
