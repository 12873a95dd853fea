// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Takes the members of a JSON object that may come from anywhere: each is checked, the first fault is kept,
// and what cannot be had is a default that nobody uses once status() is asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/storage/json_text.h"

namespace loader::app {

/// @thread confined to one thread; the object must outlive it
class JsonFields {
public:
    static constexpr std::size_t kMostTextBytes = 512;
    static constexpr std::size_t kMostSamples = 1000;
    /// Whole numbers beyond this are not exact in every reader.
    static constexpr std::uint64_t kMostCount = std::uint64_t{1} << 53;

    JsonFields(const Json& object, std::string place);

    /// UTF-8 without control characters, at most kMostTextBytes.
    std::string text(std::string_view key);
    std::uint64_t count(std::string_view key, std::uint64_t most = kMostCount);
    std::uint32_t smallCount(std::string_view key);
    bool flag(std::string_view key);
    /// Finite, between 0 and 10^15.
    double figure(std::string_view key);
    /// Nothing for null and where the member is missing.
    std::optional<double> figureOrNull(std::string_view key);
    std::vector<double> figures(std::string_view key);
    std::vector<std::string> texts(std::string_view key, std::size_t most);
    /// As timeText() writes it. @unit seconds since 1970
    std::int64_t time(std::string_view key);
    /// An object in this one; an empty one where it is missing.
    const Json& object(std::string_view key);

    /// C501 names the first member that cannot be used.
    Status status() const;
    /// Takes over the fault of a part.
    void take(const Status& part);

private:
    const Json* find(std::string_view key);
    void fail(std::string_view key, std::string_view what);
    bool isFigure(const Json& value) const;

    const Json& m_object;
    std::string m_place;
    std::string m_fault;
};

/// The text in the form that JsonFields::text() takes: valid UTF-8, blanks for control characters, not too
/// long.
std::string plainText(std::string_view text);
/// "2026-11-22T01:40:12Z". @param time in seconds since 1970
std::string timeText(std::int64_t time);
/// Now. @unit seconds since 1970
std::int64_t currentTime();

}  // namespace loader::app
