// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the files say, collected before anything is handed on: two names of one setting with different values
// are settled here, and lists that stand in several files become one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/app/config/setting_list.h"
#include "core/app/import/import_sink.h"

namespace loader::app::ggufloader {

/// Which of several values of one setting counts: the highest; of equals the one that came first.
/// docs/migration.md has the table for people.
namespace rank {
inline constexpr int kProcessorOnly = 90;
inline constexpr int kExplicit = 60;
inline constexpr int kPreferredBackend = 50;
/// The entry of the preferred back end.
inline constexpr int kPreferredEntry = 40;
/// A key at the top of a file.
inline constexpr int kTop = 30;
/// Entries of other back ends: 20 for the best of them, one less for each that follows.
inline constexpr int kOtherEntry = 20;
inline constexpr int kDisabledEntry = 5;
/// What is the default anyway.
inline constexpr int kDefault = 1;
}  // namespace rank

/// @thread confined to one thread
class Plan {
public:
    void setting(SourceKey source, std::string_view target, Json value, Json original, std::string note,
                 int rank);
    /// A list that grows from file to file; what is in it already stays where it is.
    void append(SourceKey source, std::string_view target, std::vector<std::string> entries, Json original,
                std::string note);
    void ignored(SourceKey source, Json value, std::string reason);
    void invalid(SourceKey source, Json value, std::string reason);
    void secret(SourceKey source, std::string reason);
    void model(SourceKey source, ImportedModel model, std::string note);
    void measurement(SourceKey source, ImportedMeasurement measurement, std::string note);

    /// In the order in which it came. Nothing is left in the plan.
    void deliver(ImportSink& sink);

private:
    enum class Kind : std::uint8_t { Setting, List, Ignored, Invalid, Secret, Model, Measurement };
    struct Step {
        Kind kind = Kind::Ignored;
        SourceKey source;
        std::string target;
        Json value;
        Json original;
        std::string note;
        int rank = 0;
        /// The value can be one of the setting.
        bool possible = false;
        std::shared_ptr<const ImportedModel> model;
        std::shared_ptr<const ImportedMeasurement> measurement;
    };

    /// What counts for each setting.
    using Winners = std::map<std::string_view, const Step*>;

    void add(Step step) { m_steps.push_back(std::move(step)); }
    Winners winners() const;
    /// Every list whole, without repeats, no longer than its setting allows.
    std::map<std::string, Json> mergedLists() const;
    static void deliverSetting(ImportSink& sink, const Step& step, const Winners& winners);

    std::vector<Step> m_steps;
};

}  // namespace loader::app::ggufloader
