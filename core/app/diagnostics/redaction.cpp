// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/diagnostics/redaction.h"

#include <QString>
#include <QSysInfo>
#include <algorithm>
#include <array>
#include <filesystem>

#ifndef _WIN32
#include <pwd.h>
#include <unistd.h>
#endif

namespace loader::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kUser = "<user>";
constexpr std::string_view kHost = "<host>";
constexpr std::string_view kMail = "<mail>";
constexpr std::string_view kSecret = "<secret>";
/// Shorter names occur in too many words by chance.
constexpr std::size_t kShortestName = 2;
/// A word of letters and digits of this length is no name of anything.
constexpr std::size_t kLongWord = 24;
constexpr std::size_t kFewestOfAKind = 3;
constexpr int kMostDepth = 32;

constexpr std::array<std::string_view, 9> kSecretNames = {
    "token", "secret", "passw", "apikey", "authorization", "credential", "privatekey", "accesskey", "cookie"};
/// How keys of well-known services begin. @source their documentation on secret scanning
constexpr std::array<std::string_view, 14> kKeyBeginnings = {
    "hf_",    "sk-",   "ghp_",  "gho_", "ghu_", "ghs_", "github_pat_",
    "glpat-", "xoxb-", "xoxp-", "AKIA", "AIza", "gsk_", "eyJ"};
constexpr std::size_t kShortestKey = 12;
constexpr std::array<std::string_view, 3> kUserFolders = {"/home/", "/Users/", "\\Users\\"};
constexpr std::array<std::string_view, 2> kSchemes = {"bearer", "basic"};

// Only ASCII counts as a separator: parts of other letters are letters.
bool isDigit(char c) {
    return c >= '0' && c <= '9';
}
bool isAsciiLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool isWordPart(char c) {
    return isDigit(c) || isAsciiLetter(c) || static_cast<unsigned char>(c) >= 0x80;
}
bool isKeyPart(char c) {
    return isDigit(c) || isAsciiLetter(c) || c == '_' || c == '-';
}
bool isSpace(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool sameIgnoringCase(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

/// Where the run of characters from `begin` on ends.
template <class Belongs>
std::size_t endOfRun(std::string_view text, std::size_t begin, const Belongs& belongs) {
    while (begin < text.size() && belongs(text[begin]))
        ++begin;
    return begin;
}

/// Replaces a word wherever it stands by itself.
std::string withoutWord(std::string_view text, std::string_view word, std::string_view stands) {
    std::string result;
    std::size_t at = 0;
    while (at < text.size()) {
        const bool begins = at == 0 || !isWordPart(text[at - 1]);
        const std::size_t end = at + word.size();
        const bool found = begins && end <= text.size() &&
                           sameIgnoringCase(text.substr(at, word.size()), word) &&
                           (end == text.size() || !isWordPart(text[end]));
        if (found)
            result += stands;
        else
            result += text[at];
        at = found ? end : at + 1;
    }
    return result;
}

std::string withoutHome(std::string_view text, std::string_view home) {
    std::string result;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = at + home.size();
        const bool found = text.substr(at).starts_with(home) &&
                           (end == text.size() || !(isWordPart(text[end]) || text[end] == '_'));
        if (found)
            result += '~';
        else
            result += text[at];
        at = found ? end : at + 1;
    }
    return result;
}

/// Other users' folders: what follows /home/.
std::string withoutOtherHomes(std::string_view text) {
    std::string result;
    std::size_t at = 0;
    while (at < text.size()) {
        std::string_view folder;
        for (const std::string_view one : kUserFolders) {
            if (text.substr(at).starts_with(one)) folder = one;
        }
        if (folder.empty()) {
            result += text[at++];
            continue;
        }
        result += folder;
        at += folder.size();
        const std::size_t end = endOfRun(text, at, [](char c) {
            return c != '/' && c != '\\' && c != '"' && c != '\'' && c != ':' && !isSpace(c);
        });
        if (end > at) result += kUser;
        at = end;
    }
    return result;
}

/// A piece without separators that is long and mixes digits with letters.
bool isMixedWord(std::string_view piece) {
    if (piece.size() < kLongWord) return false;
    const auto digits = static_cast<std::size_t>(std::count_if(piece.begin(), piece.end(), isDigit));
    return digits >= kFewestOfAKind && piece.size() - digits >= kFewestOfAKind;
}

bool isSecretWord(std::string_view word) {
    for (const std::string_view beginning : kKeyBeginnings) {
        if (word.starts_with(beginning) && word.size() >= std::max(kShortestKey, beginning.size() + 4))
            return true;
    }
    std::size_t begin = 0;
    while (begin < word.size()) {
        const std::size_t end = endOfRun(word, begin, [](char c) { return isDigit(c) || isAsciiLetter(c); });
        if (isMixedWord(word.substr(begin, end - begin))) return true;
        begin = end + 1;
    }
    return false;
}

/// The end of a value from `at` on: a quoted text, or a run without space or separator.
std::size_t endOfValue(std::string_view text, std::size_t at) {
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) {
        const std::size_t close = text.find(text[at], at + 1);
        return close == std::string_view::npos ? text.size() : close + 1;
    }
    return endOfRun(text, at, [](char c) {
        return !isSpace(c) && c != ',' && c != ';' && c != '&' && c != '"' && c != '\'' && c != '}' &&
               c != ')';
    });
}

/// Where the value begins that belongs to the word that ends here: behind = or :, and behind the name of an
/// authentication scheme. 0: there is none.
std::size_t valueBehind(std::string_view text, std::size_t at) {
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;
    at = endOfRun(text, at, [](char c) { return c == ' '; });
    if (at >= text.size() || (text[at] != '=' && text[at] != ':')) return 0;
    at = endOfRun(text, at + 1, [](char c) { return c == ' '; });
    for (const std::string_view scheme : kSchemes) {
        const std::size_t end = at + scheme.size();
        if (end < text.size() && text[end] == ' ' && sameIgnoringCase(text.substr(at, scheme.size()), scheme))
            at = end + 1;
    }
    return at < text.size() ? at : 0;
}

bool isScheme(std::string_view word) {
    return std::any_of(kSchemes.begin(), kSchemes.end(),
                       [word](std::string_view scheme) { return sameIgnoringCase(word, scheme); });
}

/// Words that are secrets, and values behind words that name one.
std::string withoutSecrets(std::string_view text) {
    std::string result;
    std::size_t at = 0;
    while (at < text.size()) {
        if (!isKeyPart(text[at])) {
            result += text[at++];
            continue;
        }
        const std::size_t end = endOfRun(text, at, isKeyPart);
        const std::string_view word = text.substr(at, end - at);
        std::size_t value = namesSecret(word) ? valueBehind(text, end) : 0;
        // "Bearer abcdef": a short word behind it is prose.
        if (value == 0 && isScheme(word) && end < text.size() && text[end] == ' ' &&
            endOfValue(text, end + 1) - end > kShortestKey)
            value = end + 1;
        if (value != 0) {
            result += std::string(text.substr(at, value - at)) + std::string(kSecret);
            at = endOfValue(text, value);
        } else {
            result += isSecretWord(word) ? kSecret : word;
            at = end;
        }
    }
    return result;
}

/// What stands before the @ of an address: of a user with a password, or of a mailbox.
std::string withoutAddresses(std::string_view text) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        // A second time must not change what the first one wrote.
        if (text[at] != '@' || std::string_view(result).ends_with(kSecret)) {
            result += text[at];
            continue;
        }
        const auto inAddress = [](char c) {
            return !isSpace(c) && c != '/' && c != '"' && c != '\'' && c != '<' && c != '(' && c != ',' &&
                   c != '=';
        };
        std::size_t begin = result.size();
        while (begin > 0 && inAddress(result[begin - 1]))
            --begin;
        const std::size_t end = endOfRun(text, at + 1, [](char c) { return isKeyPart(c) || c == '.'; });
        const std::string_view domain = text.substr(at + 1, end - at - 1);
        const bool inUrl = begin >= 3 && std::string_view(result).substr(0, begin).ends_with("://");
        if (begin == result.size() || domain.empty()) {
            result += '@';
        } else if (inUrl) {
            result.resize(begin);
            result += std::string(kSecret) + "@";
        } else if (domain.find('.') != std::string_view::npos) {
            result.resize(begin);
            result += kMail;
            at = end - 1;
        } else {
            result += '@';
        }
    }
    return result;
}

void addName(std::vector<std::string>& names, std::string name) {
    const bool known = std::find(names.begin(), names.end(), name) != names.end();
    if (!name.empty() && !known) names.push_back(std::move(name));
}

}  // namespace

Identity readIdentity(const std::string& home, const std::string& user) {
    Identity identity;
    addName(identity.userNames, user);
    addName(identity.homes, home);
#ifndef _WIN32
    if (const passwd* entry = ::getpwuid(::getuid())) {
        addName(identity.userNames, entry->pw_name ? entry->pw_name : "");
        const std::string full = entry->pw_gecos ? entry->pw_gecos : "";
        addName(identity.userNames, full.substr(0, full.find(',')));
        addName(identity.homes, entry->pw_dir ? entry->pw_dir : "");
    }
#endif
    for (const std::string& one : std::vector<std::string>(identity.homes)) {
        std::error_code fault;
        const auto real = std::filesystem::canonical(one, fault);
        if (!fault) addName(identity.homes, real.string());
    }
    identity.hostName = QSysInfo::machineHostName().toStdString();
    return identity;
}

bool namesSecret(std::string_view key) {
    std::string plain;
    for (const char c : key) {
        if (c != '_' && c != '-' && c != ' ') plain += lower(c);
    }
    // Tokens of a text are no secret, and there are many fields about them.
    if (plain.ends_with("tokens") || plain.find("tokenize") != std::string::npos ||
        plain.find("pertoken") != std::string::npos || plain.find("firsttoken") != std::string::npos ||
        plain.find("testtoken") != std::string::npos || plain.find("tokenspersecond") != std::string::npos)
        return false;
    return std::any_of(kSecretNames.begin(), kSecretNames.end(),
                       [&plain](std::string_view name) { return plain.find(name) != std::string::npos; });
}

Redactor::Redactor(Identity identity) {
    for (std::string& home : identity.homes) {
        while (home.size() > 1 && (home.back() == '/' || home.back() == '\\'))
            home.pop_back();
        // "/" as a home is everybody's.
        if (home.size() > 1) m_homes.push_back(std::move(home));
    }
    // The longest first: one may begin like another.
    const auto longer = [](const std::string& a, const std::string& b) { return a.size() > b.size(); };
    std::sort(m_homes.begin(), m_homes.end(), longer);
    for (const std::string& name : identity.userNames)
        m_names.push_back({name, kUser});
    m_names.push_back({identity.hostName, kHost});
    const std::string shortHost = identity.hostName.substr(0, identity.hostName.find('.'));
    if (shortHost != identity.hostName) m_names.push_back({shortHost, kHost});
    // Every machine may be called so.
    std::erase_if(m_names, [](const Name& name) {
        return name.text.size() < kShortestName || name.text == "localhost";
    });
    std::stable_sort(m_names.begin(), m_names.end(),
                     [](const Name& a, const Name& b) { return a.text.size() > b.text.size(); });
}

std::string Redactor::redacted(std::string_view text) const {
    std::string result(text);
    for (const std::string& home : m_homes)
        result = withoutHome(result, home);
    result = withoutOtherHomes(result);
    // Secrets before names: a name inside of one would break it into words.
    result = withoutAddresses(withoutSecrets(result));
    for (const Name& name : m_names)
        result = withoutWord(result, name.text, name.stands);
    return result;
}

Json Redactor::redactedJson(const Json& document) const {
    return walk(document, 0);
}

Json Redactor::walk(const Json& document, int depth) const {
    if (document.is_string()) return redacted(document.get_ref<const std::string&>());
    if (depth >= kMostDepth) return document.is_structured() ? Json(kSecret) : document;
    if (document.is_array()) {
        Json list = Json::array();
        for (const Json& item : document)
            list.push_back(walk(item, depth + 1));
        return list;
    }
    if (!document.is_object()) return document;
    Json object = Json::object();
    for (const auto& [key, value] : document.items()) {
        const bool secret = namesSecret(key) && (value.is_string() || value.is_structured());
        // empty() of a text is never true in this library.
        const bool nothing = value.is_string() ? value.get_ref<const std::string&>().empty() : value.empty();
        object[key] = secret && !nothing ? Json(kSecret) : walk(value, depth + 1);
    }
    return object;
}

}  // namespace loader::app
