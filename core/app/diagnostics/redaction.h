// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Takes out of a text what a support report must not tell: who the user is, what the machine is called, and
// whatever looks like a secret. It would rather take out too much.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace loader::app {

/// What is known of the user; the programs ask the system. Empty where it does not tell.
struct Identity {
    /// The home folder, and the same without links where that differs.
    std::vector<std::string> homes;
    /// Login name and full name.
    std::vector<std::string> userNames;
    std::string hostName;
};
/// Of who runs this process. @param home, user what the environment says
Identity readIdentity(const std::string& home, const std::string& user);

/// Home folders become ~, names <user> and <host>, addresses of mail <mail>, secrets <secret>: values of
/// fields that are named like one, passwords in addresses, keys with a known beginning, and long mixed words.
/// @thread const
class Redactor {
public:
    explicit Redactor(Identity identity);

    std::string redacted(std::string_view text) const;
    /// All texts of a document; keys stay. A member whose key names a secret loses its value.
    nlohmann::ordered_json redactedJson(const nlohmann::ordered_json& document) const;

private:
    struct Name {
        std::string text;
        std::string_view stands;
    };
    nlohmann::ordered_json walk(const nlohmann::ordered_json& document, int depth) const;

    std::vector<std::string> m_homes;
    std::vector<Name> m_names;
};

/// Whether a field of this name holds a secret: "api_key", "HF_TOKEN", "password".
bool namesSecret(std::string_view key);

}  // namespace loader::app
