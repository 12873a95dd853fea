// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Text that remembers, run by run, whether the template wrote it or whether it came from messages and
// variables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"

namespace loader::chat {

class Heap;

/// Bytes up to `end` that share one origin.
struct Run {
    std::uint32_t end = 0;
    bool fromTemplate = false;
};

class Text {
public:
    Text() = default;
    Text(std::string bytes, bool fromTemplate) : m_bytes(std::move(bytes)), m_fromTemplate(fromTemplate) {}
    /// Runs must cover the bytes, in order.
    Text(std::string bytes, std::vector<Run> runs);

    const std::string& bytes() const { return m_bytes; }
    std::size_t size() const { return m_bytes.size(); }
    bool empty() const { return m_bytes.empty(); }
    bool uniform() const { return m_runs.empty(); }
    /// True where every byte was written by the template.
    bool allFromTemplate() const { return m_runs.empty() && m_fromTemplate; }
    bool originAt(std::size_t position) const;
    /// Empty where the text is uniform.
    const std::vector<Run>& runs() const { return m_runs; }
    std::size_t footprint() const { return m_bytes.capacity() + m_runs.capacity() * sizeof(Run); }
    Text part(std::size_t begin, std::size_t end) const;

private:
    std::string m_bytes;
    std::vector<Run> m_runs;
    bool m_fromTemplate = false;
};

/// Collects text under a limit. What does not fit is dropped and remembered, so that appending needs no check
/// of its own; status() tells.
class TextBuilder {
public:
    /// Charges the heap as it grows.
    explicit TextBuilder(Heap& heap) : m_heap(&heap) {}
    /// Counts against a limit of its own (the output of a rendering).
    explicit TextBuilder(std::size_t outputLimit) : m_outputLimit(outputLimit) {}
    ~TextBuilder();
    TextBuilder(const TextBuilder&) = delete;
    TextBuilder& operator=(const TextBuilder&) = delete;

    void append(std::string_view bytes, bool fromTemplate);
    void append(const Text& text) { append(text, 0, text.size()); }
    void append(const Text& text, std::size_t begin, std::size_t end);
    void append(std::size_t count, char fill, bool fromTemplate);
    void appendCodePoint(char32_t codePoint, bool fromTemplate);

    std::size_t size() const { return m_bytes.size(); }
    /// @errors J404 or J405
    Status status() const;
    /// Everything so far; the builder is empty afterwards.
    Text take();

private:
    bool grow(std::size_t bytes);
    void mark(bool fromTemplate);

    Heap* m_heap = nullptr;
    std::size_t m_outputLimit = 0;
    std::size_t m_charged = 0;
    bool m_full = false;
    std::string m_bytes;
    std::vector<Run> m_runs;
};

}  // namespace loader::chat
