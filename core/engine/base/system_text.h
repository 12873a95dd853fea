// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The small text files in which a system tells about itself: /proc, /sys, /etc. They lie below a root, which
// tests replace by a folder of theirs. On systems without such files nothing is told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loader {

/// @thread const
class SystemText {
public:
    static constexpr std::size_t kMostBytes = 256 * 1024;

    /// @param root "/" or empty for this system
    explicit SystemText(std::string root = {});

    /// The beginning of the file, at most `most` bytes; nothing where it cannot be read.
    std::optional<std::string> text(const std::string& path, std::size_t most = kMostBytes) const;
    /// The first line without white space around it.
    std::optional<std::string> line(const std::string& path) const;
    /// The first number of the first line; nothing for "max".
    std::optional<std::uint64_t> number(const std::string& path) const;
    /// The number behind a key that starts a line, as in "MemTotal:   16384 kB".
    std::optional<std::uint64_t> field(const std::string& path, std::string_view key) const;
    /// What a folder holds, in the order of names, at most 4096 entries; empty where it cannot be read.
    std::vector<std::string> names(const std::string& folder) const;
    bool exists(const std::string& path) const;
    /// Where a link leads in the end, as a path below the root.
    std::optional<std::string> resolved(const std::string& path) const;
    /// Where the file really lies.
    std::string place(const std::string& path) const { return m_root + path; }
    /// Whether this is the running system and not a folder of a test.
    bool isThisSystem() const { return m_root.empty(); }

private:
    std::string m_root;
};

/// Without white space around it.
std::string_view trimmed(std::string_view text);
/// The first number in a text; nothing where there is none or it does not fit.
std::optional<std::uint64_t> firstNumber(std::string_view text);
/// "0-3,8": the numbers in ascending order. Ranges beyond 4095 are left out; what is not a list gives
/// nothing.
std::vector<unsigned> numberList(std::string_view text);
/// The value of `key` in lines of "key separator value", as in /proc/cpuinfo and /etc/os-release.
std::optional<std::string_view> valueOf(std::string_view text, std::string_view key, char separator);

}  // namespace loader
