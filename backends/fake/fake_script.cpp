// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/fake/fake_script.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace loader::fake {
namespace {

constexpr Errc kErrors[] = {
#define LOADER_ERROR(code, kind, sentence, action) Errc::code,
#include "core/engine/base/error_codes.inc"
};

std::optional<Errc> errorFromName(std::string_view name) {
    for (const Errc code : kErrors) {
        if (errorName(code) == name) return code;
    }
    return std::nullopt;
}

template <class T>
std::optional<T> numberOf(std::string_view text) {
    T value{};
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = result.ec == std::errc() && result.ptr == text.data() + text.size();
    return whole ? std::optional(value) : std::nullopt;
}

/// Takes what stands in front of the separator, and the separator, off the text.
std::string_view takeUntil(std::string_view& text, char separator) {
    const std::size_t at = std::min(text.find(separator), text.size());
    const std::string_view head = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return head;
}

class Entry {
public:
    Entry(std::string_view name, std::string_view value) : m_name(name), m_value(value) {}

    Status readInto(FakeScript& script) {
        if (m_name == "answer") return answer(script.answer);
        if (m_name == "end") return number(script.end);
        if (m_name == "token-ms") return duration(script.tokenMilliseconds);
        if (m_name == "load-ms") return duration(script.loadMilliseconds);
        if (m_name == "bytes") return number(script.bytes);
        if (m_name == "gpu") return flag(script.gpu);
        if (m_name == "memory-mib") return memory(script.memoryMib);
        if (m_name == "layers-max") return number(script.mostLayers.emplace());
        if (m_name == "compute") return flag(script.compute);
        if (m_name == "checkpoint") return number(script.checkpoint);
        if (m_name == "devices") return error(script.devicesError);
        if (m_name == "load") return error(script.loadError);
        if (m_name == "session") return error(script.sessionError);
        if (m_name == "fail") return failure(script);
        if (m_name == "hang") return number(script.hangCall);
        if (m_name == "stuck") return number(script.stuckCall);
        if (m_name == "crash") return number(script.crashCall);
        if (m_name == "wrong") return flag(script.wrong);
        if (m_name == "nan") return flag(script.nan);
        if (m_name != "unsupported") return unusable();
        script.unsupported = m_value;
        return {};
    }

private:
    Error unusable() const {
        return Error(Errc::X001, {"The script of the fake back end has an entry that is not usable: " +
                                  std::string(m_name) + "=" + std::string(m_value)});
    }

    template <class T>
    Status number(T& out) const {
        const auto value = numberOf<T>(m_value);
        if (!value) return unusable();
        out = *value;
        return {};
    }
    Status duration(double& out) const {
        const auto value = numberOf<double>(m_value);
        if (!value || !(*value >= 0.0 && *value < 1e9)) return unusable();
        out = *value;
        return {};
    }
    Status memory(std::uint64_t& outMib) const {
        LOADER_CHECK(number(outMib));
        constexpr std::uint64_t kMostMib = 1u << 30;
        return outMib > kMostMib ? Status(unusable()) : Status();
    }
    Status flag(bool& out) const {
        if (m_value != "0" && m_value != "1") return unusable();
        out = m_value == "1";
        return {};
    }
    Status error(std::optional<Errc>& out) const {
        out = errorFromName(m_value);
        return out ? Status() : Status(unusable());
    }
    Status failure(FakeScript& script) const {
        std::string_view rest = m_value;
        const auto call = numberOf<CallNumber>(takeUntil(rest, ':'));
        const auto code = errorFromName(rest);
        if (!call || !code) return unusable();
        script.failCall = *call;
        script.failError = *code;
        return {};
    }
    Status answer(std::vector<TokenId>& out) const {
        out.clear();
        std::string_view rest = m_value;
        while (!rest.empty()) {
            const auto id = numberOf<TokenId>(takeUntil(rest, ','));
            if (!id || *id < 0) return unusable();
            out.push_back(*id);
        }
        return out.empty() ? Status(unusable()) : Status();
    }

    std::string_view m_name;
    std::string_view m_value;
};

}  // namespace

Result<FakeScript> parseFakeScript(std::string_view text) {
    FakeScript script;
    while (!text.empty()) {
        std::string_view value = takeUntil(text, ';');
        const std::string_view name = takeUntil(value, '=');
        LOADER_CHECK(Entry(name, value).readInto(script));
    }
    return script;
}

TokenId predict(const FakeScript& script, const std::vector<TokenId>& tokens) {
    const std::vector<TokenId>& answer = script.answer;
    std::size_t said = std::min(tokens.size(), answer.size());
    while (said > 0 &&
           !std::equal(tokens.end() - static_cast<std::ptrdiff_t>(said), tokens.end(), answer.begin())) {
        --said;
    }
    const TokenId after = script.end != kNoToken ? script.end : answer.front();
    const TokenId next = said < answer.size() ? answer[said] : after;
    return script.wrong && next < std::numeric_limits<TokenId>::max() ? next + 1 : next;
}

}  // namespace loader::fake
