// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/engine/base/mapped_file.h"

#ifdef _WIN32
#include <io.h>
#define LOADER_ISATTY _isatty
#define LOADER_FILENO _fileno
#else
#include <unistd.h>
#define LOADER_ISATTY ::isatty
#define LOADER_FILENO ::fileno
#endif

namespace loader::cli {
namespace {

bool isTerminal(std::FILE* file) {
    return LOADER_ISATTY(LOADER_FILENO(file)) != 0;
}

Error tooLong(std::size_t most) {
    return Error(Errc::X001, {"The text is longer than " + std::to_string(most >> 20) + " MiB."});
}

}  // namespace

bool Output::write(std::string_view bytes) {
    if (m_fault != 0 || m_readerGone) return false;
    errno = 0;
    const bool written = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
    if (written && std::fflush(stdout) == 0) return true;
    if (errno == EPIPE)
        m_readerGone = true;
    else
        m_fault = errno != 0 ? errno : EIO;
    return false;
}

bool Output::writeJson(const Json& document) {
    // Text that is not UTF-8 (a path, say) must not make the document invalid.
    return write(document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

void Output::note(std::string_view sentence) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(sentence.size()), sentence.data());
}

void Output::error(const Error& error) {
    if (m_json) {
        writeJson({{"error", errorJson(error)}});
        return;
    }
    std::string text = "Error: " + error.message() + "\n";
    if (!error.place().empty()) text += "Where: " + error.place() + "\n";
    text += "What to do: " + error.action() + "\nCode:  " + std::string(error.name()) + "\n";
    std::fwrite(text.data(), 1, text.size(), stderr);
}

Status Output::status() const {
    if (m_fault == 0) return {};
    return Error(Errc::F806, {std::strerror(m_fault)}, "standard output");
}

Json errorJson(const Error& error) {
    return {{"code", error.name()},
            {"message", error.message()},
            {"place", error.place()},
            {"action", error.action()}};
}

int exitStatusOf(const Error& error) {
    switch (error.code()) {
        case Errc::M140:
        case Errc::R901:
        case Errc::R902:
        case Errc::F806: return 4;
        case Errc::B701:
        case Errc::C513:
        case Errc::T211:
        case Errc::T212:
        case Errc::X001:
        case Errc::X004:
        case Errc::X006: return 2;
        case Errc::X002: return 130;
        case Errc::X005:
        case Errc::C503:
        case Errc::C517: return 6;
        default: break;
    }
    if (error.kind() == ErrorKind::Configuration) return 6;
    switch (error.name().front()) {
        case 'B':
        case 'X': return 5;
        case 'R': return 4;
        default: return 3;
    }
}

ProgressLine::ProgressLine(std::string what) : m_what(std::move(what)), m_terminal(isTerminal(stderr)) {}

void ProgressLine::report(std::uint64_t done, std::uint64_t total) {
    show(done, total, {});
}

void ProgressLine::show(std::uint64_t done, std::uint64_t total, const std::string& detail) {
    if (!m_terminal) return;
    const auto now = std::chrono::steady_clock::now();
    if (m_shown && now - m_last < std::chrono::milliseconds(100)) return;
    m_last = now;
    m_shown = true;
    const double share = total != 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(total) : 0.0;
    std::fprintf(stderr, "\r\033[K%s %.0f %%%s", m_what.c_str(), share, detail.c_str());
    std::fflush(stderr);
}

void ProgressLine::clear() {
    if (!m_shown) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    m_shown = false;
}

bool standardInputIsTerminal() {
    return isTerminal(stdin);
}

bool standardOutputIsTerminal() {
    return isTerminal(stdout);
}

Result<std::string> readStandardInput(std::size_t most) {
    std::string text;
    char buffer[65536];
    while (true) {
        const std::size_t got = std::fread(buffer, 1, sizeof buffer, stdin);
        text.append(buffer, got);
        if (text.size() > most) return tooLong(most);
        if (got == sizeof buffer) continue;
        if (std::ferror(stdin) && errno == EINTR) return Error(Errc::X002);
        if (std::ferror(stdin)) return Error(Errc::F805, {std::strerror(errno)}, "standard input");
        return text;
    }
}

Result<std::string> readTextFile(const std::string& path, std::size_t most) {
    LOADER_TRY(const auto file, FileSource::open(path));
    if (file->size() > most) return tooLong(most).within(path);
    std::string text(static_cast<std::size_t>(file->size()), '\0');
    LOADER_CHECK(file->read(0, std::as_writable_bytes(std::span(text.data(), text.size()))));
    return text;
}

}  // namespace loader::cli
