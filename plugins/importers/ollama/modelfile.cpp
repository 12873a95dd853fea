// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The text form of a model: https://docs.ollama.com/modelfile.

#include <algorithm>
#include <array>

#include "core/app/config/setting_list.h"
#include "core/app/storage/small_file.h"
#include "plugins/importers/common/places.h"
#include "plugins/importers/ollama/parameters.h"
#include "plugins/importers/ollama/readers.h"

namespace loader::importers::ollama {
namespace {

constexpr std::array<std::string_view, 8> kNames = {"FROM",    "PARAMETER", "TEMPLATE", "SYSTEM",
                                                    "ADAPTER", "LICENSE",   "MESSAGE",  "REQUIRES"};
constexpr std::string_view kQuotes = "\"\"\"";

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string upper(std::string_view text) {
    std::string word(text);
    for (char& letter : word)
        letter = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    return word;
}

/// First word and rest.
std::pair<std::string_view, std::string_view> split(std::string_view text) {
    const std::size_t space = text.find_first_of(" \t");
    if (space == std::string_view::npos) return {text, {}};
    return {text.substr(0, space), trimmed(text.substr(space))};
}

std::string unquoted(std::string_view text) {
    const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
    return std::string(quoted ? text.substr(1, text.size() - 2) : text);
}

/// "mario" of mario/Modelfile and of mario.modelfile.
std::string nameOf(const std::string& path) {
    if (!fileName(path).starts_with("Modelfile")) return stemOf(path);
    const std::string folder = fileName(folderOf(path));
    return folder.empty() ? "Modelfile" : folder;
}

class ModelfileReader {
public:
    ModelfileReader(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink)
        : m_walk(path, sink), m_places(roots), m_name(nameOf(path)) {}

    void read(const std::vector<Instruction>& instructions) {
        m_owner = app::SettingOwner::preset(m_name);
        // The model that all other lines are about, wherever it stands.
        for (const Instruction& one : instructions)
            if (one.name == "FROM" && m_base.path.empty() && isPath(one.text)) m_base = resolved(one.text);
        if (!m_base.path.empty()) m_owner = app::SettingOwner::model(m_base.path);
        for (std::size_t i = 0; i < instructions.size(); ++i)
            take(instructions, i);
        if (!m_stops.empty()) {
            const KeyRule* rule = findRule(parameterRules(), "stop");
            m_walk.take(*rule, "PARAMETER stop", m_stops, m_owner);
        }
        if (m_messages.empty()) return;
        app::ImportedConversation chat = exampleMessages(m_name, m_messages);
        chat.identity = "ollama:" + m_walk.file();
        m_walk.sink().conversation(m_walk.at("MESSAGE"), std::move(chat),
                                   "Messages that every chat with this model began with");
    }

private:
    bool isPath(const std::string& text) const {
        const bool marked = text.find_first_of("/\\~.") == 0 || endsWithNoCase(text, ".gguf");
        return marked || isFile(joined(folderOf(m_walk.file()), text));
    }

    Place resolved(const std::string& text) { return m_places.resolve(text, folderOf(m_walk.file())); }

    void take(const std::vector<Instruction>& all, std::size_t i) {
        const Instruction& one = all[i];
        if (one.name == "FROM") return takeFrom(one);
        if (one.name == "PARAMETER") return takeParameter(all, i);
        if (one.name == "SYSTEM")
            return m_walk.set("SYSTEM", m_owner, app::settings::kChatSystemPrompt, Taken::set(one.text),
                              one.text);
        if (one.name == "MESSAGE") return takeMessage(one);
        if (one.name == "TEMPLATE")
            return m_walk.ignore("TEMPLATE", one.text, "The template of the model's own file is used");
        if (one.name == "ADAPTER") return m_walk.ignore("ADAPTER", one.text, "Adapters cannot be loaded yet");
        if (one.name == "LICENSE")
            return m_walk.ignore("LICENSE", one.text, "The licence is that of the model's publisher");
        if (one.name == "REQUIRES")
            return m_walk.ignore("REQUIRES", one.text, "It is a version of the other program");
        m_walk.invalid("line " + std::to_string(one.line), one.text, "It is no instruction of a Modelfile");
    }

    void takeFrom(const Instruction& one) {
        if (!isPath(one.text))
            return m_walk.ignore("FROM", one.text,
                                 "It is a name in the other program's own store; import that");
        const Place place = resolved(one.text);
        if (place.path.empty()) return m_walk.invalid("FROM", one.text, place.fault);
        if (place.state == PathState::Folder)
            return m_walk.ignore("FROM", one.text, "It is a folder of a model that is no GGUF file");
        app::ImportedModel model;
        model.path = place.path;
        model.name = m_name;
        m_walk.sink().model(m_walk.at("FROM"), model, place.note());
    }

    void takeParameter(const std::vector<Instruction>& all, std::size_t i) {
        const auto [name, rest] = split(all[i].text);
        const std::string value = unquoted(rest);
        if (name == "stop") {
            m_stops.push_back(value);
            return;
        }
        const std::string key = "PARAMETER " + std::string(name);
        const auto again = [name = std::string(name)](const Instruction& later) {
            return later.name == "PARAMETER" && split(later.text).first == name;
        };
        const bool repeated = std::any_of(all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end(), again);
        if (repeated) return m_walk.ignore(key, value, "This key stands more than once; the last one counts");
        const KeyRule* rule = findRule(parameterRules(), name);
        if (!rule) return m_walk.unknown(key, value);
        m_walk.take(*rule, key, value, m_owner);
    }

    void takeMessage(const Instruction& one) {
        const auto [role, text] = split(one.text);
        m_messages.push_back({{"role", std::string(role)}, {"content", unquoted(text)}});
    }

    KeyWalk m_walk;
    Places m_places;
    std::string m_name;
    app::SettingOwner m_owner;
    Place m_base;
    Json m_stops = Json::array();
    Json m_messages = Json::array();
};

}  // namespace

std::vector<Instruction> modelfileInstructions(std::string_view text) {
    std::vector<Instruction> found;
    std::size_t line = 0;
    while (!text.empty()) {
        ++line;
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view whole = text.substr(0, end);
        std::string_view rest = text.substr(std::min(end + 1, text.size()));
        const auto [word, value] = split(trimmed(whole));
        if (word.empty() || word.front() == '#') {
            text = rest;
            continue;
        }
        Instruction one{upper(word), std::string(value), line};
        if (std::find(kNames.begin(), kNames.end(), one.name) == kNames.end())
            one = {{}, std::string(trimmed(whole)), line};
        // Text in three quotation marks goes on to the next three; the role of a message stands before them.
        const std::size_t open = one.name.empty() ? std::string_view::npos : whole.find(kQuotes);
        if (open != std::string_view::npos) {
            const std::string_view from = text.substr(open + kQuotes.size());
            const std::size_t close = from.find(kQuotes);
            const std::string_view inside = from.substr(0, close);
            const std::string before(trimmed(value.substr(0, value.find(kQuotes))));
            one.text = before.empty() ? std::string(inside) : before + " " + std::string(inside);
            line += static_cast<std::size_t>(std::count(inside.begin(), inside.end(), '\n'));
            rest = close == std::string_view::npos ? std::string_view() : from.substr(close + kQuotes.size());
            const std::size_t next = std::min(rest.find('\n'), rest.size());
            rest = rest.substr(std::min(next + 1, rest.size()));
        } else if (one.name != "PARAMETER" && one.name != "MESSAGE" && !one.name.empty()) {
            one.text = unquoted(one.text);
        }
        found.push_back(std::move(one));
        text = rest;
    }
    return found;
}

Status readModelfile(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink) {
    LOADER_TRY(std::string bytes, app::readSmallFile(path));
    auto decoded = app::decodedText(std::move(bytes));
    if (!decoded) return std::move(decoded).error().within(path);
    const std::vector<Instruction> instructions = modelfileInstructions(decoded->text);
    const bool any = std::any_of(instructions.begin(), instructions.end(),
                                 [](const Instruction& one) { return !one.name.empty(); });
    if (!any) return Error(Errc::C501, {"it is no Modelfile"}, path);
    ModelfileReader(path, roots, sink).read(instructions);
    return {};
}

}  // namespace loader::importers::ollama
