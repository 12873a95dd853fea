// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How importers say in tables what becomes of a key, and the walk that makes sure that every key of a file
// ends in exactly one call of the sink. A key is a leaf: a value that is no object, an empty object, or a
// list without objects and lists in it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "core/app/import/import_sink.h"
#include "core/app/storage/json_text.h"

namespace loader::importers {

using app::Json;

/// What becomes of one value.
struct Taken {
    enum class Kind : std::uint8_t { Set, Ignore, Refuse };
    Kind kind = Kind::Set;
    Json value;
    std::string words;
    static Taken set(Json value, std::string note = {}) {
        return {Kind::Set, std::move(value), std::move(note)};
    }
    static Taken ignore(std::string reason) { return {Kind::Ignore, {}, std::move(reason)}; }
    static Taken refuse(std::string reason) { return {Kind::Refuse, {}, std::move(reason)}; }
};
using TakeFunction = Taken (*)(const Json& value);

/// One key of another program.
struct KeyRule {
    std::string_view key;
    /// Our setting; empty: the key is ignored, with the reason in words.
    std::string_view target;
    /// Null: the value means the same, see sameMeaning().
    TakeFunction take = nullptr;
    /// Note of a key that is taken, or reason of one that is not.
    std::string_view words = {};
    /// A password or token: only its name is shown.
    bool secret = false;
};

const KeyRule* findRule(std::span<const KeyRule> rules, std::string_view key);

/// The value as a target of ours wants it, however the other program writes it: "4096" for a number, 1 or
/// "yes" for true, one text for a list of texts. Null is not set.
Taken sameMeaning(const Json& value, std::string_view target);
/// A number, also as text. Nothing (discarded) where it is none. "0,7" is none.
Json numberOf(const Json& value);
/// True or false, also as 0, 1, yes, no, on, off in any case. Discarded where it is none.
Json boolOf(const Json& value);

// Meanings that several programs share.
/// -1 and below is all layers (llama-cpp-python, Consoul).
Taken layersMinusAll(const Json& value);
/// -1 and below is auto (KoboldCpp, LLM-Toolkit).
Taken layersMinusAuto(const Json& value);
/// 0 and below is automatic.
Taken threadsOrAuto(const Json& value);
/// 0 and below is what the context holds.
Taken tokensOrUnlimited(const Json& value);
/// 0 and below is the model's own length.
Taken contextOrTrained(const Json& value);
/// A name of a cache type: f16, q8_0; others go to the nearest that exists here.
Taken cacheTypeByName(const Json& value);
/// True becomes false.
Taken negated(const Json& value);
/// A seed; -1, and 2^32 - 1 that llama.cpp keeps for it, is random.
Taken seedOrRandom(const Json& value);
/// A list of names of samplers, as llama.cpp and the programs around it call them, in our names. Those that
/// are not built here are left out, and told.
Taken samplerOrder(const Json& names);

/// Hands keys of one file to a sink.
class KeyWalk {
public:
    KeyWalk(std::string file, app::ImportSink& sink) : m_file(std::move(file)), m_sink(sink) {}

    const std::string& file() const { return m_file; }
    app::ImportSink& sink() const { return m_sink; }
    app::SourceKey at(const std::string& key) const { return {m_file, key}; }

    /// By a rule: a setting of owner, ignored, invalid or secret.
    void take(const KeyRule& rule, const std::string& key, const Json& value,
              const app::SettingOwner& owner) const;
    /// As take() with the rule of that name, or ignores it as not known.
    void member(std::span<const KeyRule> rules, const std::string& prefix, const std::string& name,
                const Json& value, const app::SettingOwner& owner) const;
    /// All members of an object. Anything else than an object is one invalid line.
    void object(std::span<const KeyRule> rules, const std::string& prefix, const Json& object,
                const app::SettingOwner& owner) const;
    /// Every leaf below a value. Names that look like secrets show no value.
    void ignore(const std::string& key, const Json& value, std::string_view reason) const;
    void unknown(const std::string& key, const Json& value) const;
    void invalid(const std::string& key, const Json& value, std::string_view reason) const;
    void secret(const std::string& key, const Json& value) const;
    /// A setting whose value was worked out by the importer.
    void set(const std::string& key, const app::SettingOwner& whose, std::string_view target,
             const Taken& taken, const Json& original, std::string_view words = {}) const;
    /// Keys that stand more than once: one line each.
    void repeated(const app::JsonText& text) const;

private:
    std::string m_file;
    app::ImportSink& m_sink;
};

/// "a.b", "a" where prefix is empty.
std::string joinedKey(const std::string& prefix, const std::string& name);
/// Whether a key's name says that its value is a password, key or token.
bool looksSecret(std::string_view key);
/// Whether every value of an object or list is something to walk into.
bool hasLeavesBelow(const Json& value);

inline constexpr std::string_view kNoServer = "There is no server in this program yet";
inline constexpr std::string_view kNotSet = "It is not set";
inline constexpr std::string_view kUnknownKey = "This key is not known";
inline constexpr std::string_view kOfTheModel = "It is kept with the model";

}  // namespace loader::importers
