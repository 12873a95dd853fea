// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The one error type of the engine: a stable code, a plain sentence, the place, and what to do next.
// The list of codes is error_codes.inc. Rationale: docs/adr/0003-one-error-type.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loader {

/// What sort of failure it is; decides the exit status and the step of the fallback chain.
enum class ErrorKind : std::uint8_t {
    InvalidArgument,
    NotFound,
    Unsupported,
    CorruptData,
    OutOfMemory,
    DeviceLost,
    Driver,
    SelfTestMismatch,
    Cancelled,
    Io,
    Network,
    VersionMismatch,
    Configuration,
    Internal,
};

enum class Errc : std::uint16_t {
#define LOADER_ERROR(code, kind, sentence, action) code,
#include "core/engine/base/error_codes.inc"
};

/// Where in our source an error was made. std::source_location is missing in one of our compilers.
struct SourceLocation {
    const char* file = "";
    int line = 0;
    static SourceLocation current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return {file, line};
    }
};

class Error {
public:
    explicit Error(Errc code, std::vector<std::string> args = {}, std::string place = {},
                   SourceLocation origin = SourceLocation::current());

    Errc code() const { return m_code; }
    ErrorKind kind() const;
    /// The stable name, for example "GG055".
    std::string_view name() const;
    /// One plain English sentence.
    std::string message() const;
    /// File, byte offset, key or tensor that is concerned; may be empty.
    const std::string& place() const { return m_place; }
    /// What the user can do next.
    std::string action() const;
    const std::vector<std::string>& args() const { return m_args; }
    const SourceLocation& origin() const { return m_origin; }

    /// Puts an outer place (a file name, say) in front of the present one.
    Error&& within(std::string_view outer) &&;
    /// All of it in one line, for logs.
    std::string toString() const;

private:
    Errc m_code;
    std::vector<std::string> m_args;
    std::string m_place;
    SourceLocation m_origin;
};

/// The name of a code, for example "GG055".
std::string_view errorName(Errc code);
/// The code of a name; nothing where there is no such code.
std::optional<Errc> errorFromName(std::string_view name);

}  // namespace loader
