// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/gguf-loader-app/document_reader.h"

#include <array>
#include <cmath>
#include <utility>

#include "core/app/diagnostics/redaction.h"

namespace loader::app::ggufloader {
namespace {

constexpr std::string_view kUnknown = "there is no setting of this meaning";
constexpr std::string_view kNull = "nothing is set";
constexpr std::string_view kSecret = "it is a secret, and is neither shown nor taken over";
constexpr std::string_view kForeign = "it is of an engine that runs no GGUF files";

std::string joinedNotes(std::string first, std::string_view second) {
    if (first.empty() || second.empty()) return first + std::string(second);
    return first + "; " + std::string(second);
}

/// The first text that names a back end to prefer, wherever a version keeps it.
std::string preferredBackend(const Json& document) {
    const auto text = [](const Json& object, const char* key) {
        const auto found = object.is_object() ? object.find(key) : object.end();
        return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>()
                                                                                 : std::string();
    };
    const auto inside = [&](const char* object, const char* key) {
        const auto found = document.find(object);
        return found == document.end() ? std::string() : text(*found, key);
    };
    for (const std::string& name :
         {inside("preferences", "preferred_backend"), text(document, "preferred_backend"),
          inside("backends", "default"), text(document, "backend"), text(document, "backend_preference"),
          text(document, "default_backend")})
        if (engineOf(name) != Engine::Auto) return name;
    return {};
}

bool isContainer(const Json& value) {
    if (value.is_object()) return !value.empty();
    if (!value.is_array()) return false;
    for (const Json& entry : value)
        if (entry.is_structured()) return true;
    return false;
}

}  // namespace

void DocumentReader::read(const JsonText& text) {
    for (const std::string& path : text.repeated)
        m_plan.ignored(source(path), nullptr, "it stands more than once; the last one counts");
    m_document = &text.document;
    if (!text.document.is_object()) {
        m_plan.invalid(source({}), nullptr, "the file holds no settings: it is not a JSON object");
        return;
    }
    m_preferred = preferredBackend(text.document);
    object(text.document, {});
}

void DocumentReader::readStored(const std::string& key, const Json& value) {
    Place place;
    place.scope = Scope::Store;
    member(key, value, place);
}

void DocumentReader::object(const Json& members, const Place& place) {
    for (const auto& [name, value] : members.items())
        member(name, value, place);
}

void DocumentReader::wrongKind(const SourceKey& from, const Json& value, std::string_view wanted) {
    m_plan.invalid(from, value, "it should be " + std::string(wanted));
}

void DocumentReader::member(const std::string& name, const Json& value, const Place& place) {
    const std::string path = place.prefix + name;
    const KeyRow* known = findKey(place.scope, name);
    const bool foreign = place.engine && place.engine->engine == Engine::Foreign;
    if (!known || foreign) return unknown(path, name, value, foreign ? kForeign : kUnknown);
    KeyRow row = *known;
    // The keys of an entry count as much as its back end does.
    if (place.engine && row.way != Way::Priority) row.rank = place.engine->rank;
    const SourceKey from = source(path);
    switch (row.way) {
        case Way::Nothing: return unknown(path, name, value, row.note);
        case Way::Version: return version(from, value);
        case Way::Backends: return backends(name, value);
        case Way::ModelProfiles: return modelProfiles(name, value);
        case Way::BackendProfiles: return backendProfiles(name, value);
        case Way::Object: {
            if (!value.is_object() || value.empty()) break;
            static constexpr std::array<std::pair<std::string_view, Scope>, 6> kObjects = {
                {{"ai_settings", Scope::Answers},
                 {"preferences", Scope::Preferences},
                 {"ui", Scope::Window},
                 {"paths", Scope::Folders},
                 {"custom_args", Scope::Entry},
                 {"args", Scope::Entry}}};
            for (const auto& [key, scope] : kObjects)
                if (key == name) return object(value, {scope, path + ".", place.engine});
            return;
        }
        default: break;
    }
    if (value.is_null() && row.way != Way::Threads) return m_plan.ignored(from, value, std::string(kNull));
    if (row.way == Way::Object) {
        if (value.empty() && value.is_structured()) return m_plan.ignored(from, value, std::string(kNull));
        return wrongKind(from, value, "an object");
    }
    plain(row, from, value);
}

void DocumentReader::plain(const KeyRow& row, const SourceKey& from, const Json& value) {
    switch (row.way) {
        case Way::Bool: {
            const auto truth = readBool(value);
            if (!truth) return wrongKind(from, value, "true or false");
            return m_plan.setting(from, row.target, truth->value, value, truth->note, row.rank);
        }
        case Way::Number:
        case Way::Context:
        case Way::Threads: return number(row, from, value);
        case Way::LayersAll:
        case Way::LayersAuto: return layers(row, from, value);
        case Way::Text:
            if (!value.is_string()) return wrongKind(from, value, "a text");
            return m_plan.setting(from, row.target, value, value, {}, row.rank);
        case Way::Theme:
        case Way::LogLevel: return word(row, from, value);
        case Way::Position: return position(row, from, value);
        case Way::WindowSize: return windowSize(from, value);
        case Way::Gpu:
        case Way::GpuWord:
        case Way::EntryGpu: return gpu(row, from, value);
        case Way::Preferred: return preferred(row, from, value);
        case Way::Order:
        case Way::Priority: return order(row, from, value);
        case Way::DefaultModel: return defaultModel(row, from, value);
        case Way::Folder:
        case Way::Paths: return paths(row, from, value);
        default: return m_plan.ignored(from, value, std::string(kUnknown));
    }
}

void DocumentReader::number(const KeyRow& row, const SourceKey& from, const Json& value) {
    if (value.is_null()) return m_plan.setting(from, row.target, 0, value, "the program chooses", row.rank);
    const auto read = readNumber(value);
    if (!read) return wrongKind(from, value, "a number");
    const bool automatic = read->value == -1 || read->value == 0;
    if (row.way == Way::Threads && automatic)
        return m_plan.setting(from, row.target, 0, value, "the program chooses", row.rank);
    if (row.way == Way::Context && automatic)
        return m_plan.setting(from, row.target, 0, value,
                              "it is what the model was trained for, at most 4,096 tokens", row.rank);
    m_plan.setting(from, row.target, read->value, value, read->note, row.rank);
}

void DocumentReader::layers(const KeyRow& row, const SourceKey& from, const Json& value) {
    if (value == "auto" || value == "all")
        return m_plan.setting(from, row.target, value, value, {}, row.rank);
    const auto read = readNumber(value);
    if (!read) return wrongKind(from, value, "a number of layers");
    if (read->value != -1) return m_plan.setting(from, row.target, read->value, value, read->note, row.rank);
    if (row.way == Way::LayersAll)
        return m_plan.setting(from, row.target, "all", value, "-1 meant every layer", row.rank);
    m_plan.setting(from, row.target, "auto", value, "-1 meant that the program chooses", row.rank);
}

void DocumentReader::word(const KeyRow& row, const SourceKey& from, const Json& value) {
    if (!value.is_string()) return wrongKind(from, value, "a text");
    std::string text = value.get<std::string>();
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (row.way == Way::LogLevel) {
        if (text == "critical") text = "error";
        return m_plan.setting(from, row.target, text, value, {}, row.rank);
    }
    const SettingSpec* spec = findSetting(row.target);
    if (!checkedSetting(*spec, text)) return m_plan.ignored(from, value, "there is no theme of this name");
    m_plan.setting(from, row.target, text, value, {}, row.rank);
}

void DocumentReader::position(const KeyRow& row, const SourceKey& from, const Json& value) {
    constexpr double kFarthest = 100000;
    Json point = Json::array();
    for (const Json& entry : value.is_array() ? value : Json::array()) {
        const auto read = readNumber(entry);
        const double number = read ? read->value.get<double>() : NAN;
        if (std::fabs(number) <= kFarthest) point.push_back(std::lround(number));
    }
    if (point.size() != 2 || value.size() != 2)
        return wrongKind(from, value, "a point: two numbers that a screen may have");
    m_plan.setting(from, row.target, point, value, {}, row.rank);
}

void DocumentReader::windowSize(const SourceKey& from, const Json& value) {
    if (!value.is_array() || value.size() != 2) return wrongKind(from, value, "a width and a height");
    static constexpr std::array<std::string_view, 2> kTargets = {"window.width", "window.height"};
    for (std::size_t i = 0; i < kTargets.size(); ++i) {
        const SourceKey part = source(from.key + "[" + std::to_string(i) + "]");
        const auto read = readNumber(value[i]);
        if (!read)
            wrongKind(part, value[i], "a number of pixels");
        else
            m_plan.setting(part, kTargets[i], read->value, value[i], read->note, rank::kTop);
    }
}

void DocumentReader::gpu(const KeyRow& row, const SourceKey& from, const Json& value) {
    const bool isWord = row.way == Way::GpuWord;
    const bool knownWord = value == "auto" || value == "gpu" || value == "cpu";
    if (isWord && !knownWord) return wrongKind(from, value, "auto, gpu or cpu");
    const auto truth = isWord ? std::optional(Read<bool>{value != "cpu", {}}) : readBool(value);
    if (!truth) return wrongKind(from, value, "true or false");
    constexpr std::string_view kAllowed = "a GPU is used wherever one works";
    if (truth->value)
        return m_plan.setting(from, "load.backend", "auto", value, joinedNotes(truth->note, kAllowed),
                              rank::kDefault);
    if (row.way == Way::EntryGpu)
        return m_plan.setting(from, row.target, 0, value, joinedNotes(truth->note, "no GPU was to be used"),
                              row.rank + 1);
    m_plan.setting(from, row.target, "cpu", value, joinedNotes(truth->note, "no GPU was to be used"),
                   rank::kProcessorOnly);
}

void DocumentReader::preferred(const KeyRow& row, const SourceKey& from, const Json& value) {
    if (!value.is_string()) return wrongKind(from, value, "the name of a back end");
    switch (engineOf(value.get_ref<const std::string&>())) {
        case Engine::Unknown: return m_plan.ignored(from, value, "no back end of this name is known");
        case Engine::Foreign: return m_plan.ignored(from, value, std::string(kForeign));
        case Engine::Auto: return m_plan.setting(from, row.target, "auto", value, {}, rank::kDefault);
        case Engine::Gpu:
            return m_plan.setting(from, row.target, "auto", value,
                                  "in its place: Vulkan where it works, then the processor", row.rank);
        case Engine::Processor:
            return m_plan.setting(from, row.target, "cpu", value, "in its place: the processor", row.rank);
    }
}

void DocumentReader::order(const KeyRow& row, const SourceKey& from, const Json& value) {
    if (row.way == Way::Priority) {
        if (!readNumber(value)) return wrongKind(from, value, "a number");
        if (m_derivedOrder.empty())
            return m_plan.ignored(from, value, "no back end that has a counterpart is on");
        return m_plan.setting(from, row.target, m_derivedOrder, value, "the order of all priorities together",
                              row.rank);
    }
    if (!value.is_array()) return wrongKind(from, value, "a list of back ends");
    std::vector<std::string> names;
    std::string note;
    for (const Json& entry : value) {
        const std::string name = entry.is_string() ? entry.get<std::string>() : entry.dump();
        const Engine engine = engineOf(name);
        const bool kept = engine == Engine::Gpu || engine == Engine::Processor;
        if (kept)
            names.push_back(name);
        else
            note = joinedNotes(note, name + " is left out: it has no counterpart");
    }
    const std::vector<std::string> order = backendsFor(names);
    if (order.empty()) return m_plan.ignored(from, value, "no back end in it has a counterpart");
    m_plan.setting(from, row.target, order, value, note, row.rank);
}

void DocumentReader::defaultModel(const KeyRow& row, const SourceKey& from, const Json& value) {
    if (!value.is_string()) return wrongKind(from, value, "a path");
    const auto& written = value.get_ref<const std::string&>();
    if (written.empty()) return m_plan.ignored(from, value, std::string(kNull));
    const Read<std::string> path = m_paths.resolve(written, m_file);
    std::string_view state;
    switch (m_paths.state(path.value)) {
        case PathState::File: break;
        case PathState::Folder: return m_plan.invalid(from, value, "it is a folder, not a model's file");
        case PathState::Other:
            return m_plan.invalid(from, value, "it is a device or a pipe, not a model's file");
        case PathState::Missing: state = "the file is missing now; its path is kept"; break;
        case PathState::Unreachable: state = "its drive or share did not answer; its path is kept"; break;
    }
    m_plan.setting(from, row.target, path.value, value, joinedNotes(path.note, state), row.rank);
}

void DocumentReader::paths(const KeyRow& row, const SourceKey& from, const Json& value) {
    const Json list = value.is_array() ? value : Json::array({value});
    std::vector<std::string> taken;
    std::size_t missing = 0;
    std::size_t wrong = 0;
    for (const Json& entry : list) {
        if (!entry.is_string()) {
            ++wrong;
            continue;
        }
        if (entry.get_ref<const std::string&>().empty()) continue;
        taken.push_back(m_paths.resolve(entry.get<std::string>(), m_file).value);
        const PathState state = m_paths.state(taken.back());
        missing += state == PathState::Missing || state == PathState::Unreachable ? 1 : 0;
    }
    if (taken.empty() && wrong > 0) return wrongKind(from, value, "a path, or a list of them");
    if (taken.empty()) return m_plan.ignored(from, value, std::string(kNull));
    std::string note;
    if (missing == 1 && list.size() == 1) note = "it cannot be found now; its path is kept";
    if (missing > 0 && note.empty())
        note = std::to_string(missing) + " of them cannot be found now; their paths are kept";
    if (wrong > 0)
        note = joinedNotes(note, std::to_string(wrong) + " of them are no paths, and are left out");
    m_plan.append(from, row.target, std::move(taken), value, std::move(note));
}

void DocumentReader::version(const SourceKey& from, const Json& value) {
    if (value == "1.0.0" || value == "1.1.0")
        return m_plan.ignored(from, value, "it tells the form of the file");
    const auto number = readNumber(value);
    const std::string text = value.is_string() ? value.get<std::string>() : std::string();
    const bool digits = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
    if (!digits && (!number || number->value.get<double>() < 0))
        return m_plan.invalid(from, value, "it is no version");
    m_plan.ignored(from, value, "this form is not known; what is understood of it is taken over");
}

void DocumentReader::backends(const std::string& name, const Json& value) {
    if (!value.is_object()) return wrongKind(source(name), value, "an object");
    if (value.empty()) return m_plan.ignored(source(name), value, std::string(kNull));
    const std::vector<EngineEntry> ranked = rankedEntries(value, m_preferred);
    std::vector<std::string> on;
    for (const EngineEntry& entry : ranked)
        if (entry.rank > rank::kDisabledEntry) on.push_back(entry.name);
    m_derivedOrder = backendsFor(on);
    std::map<std::string_view, const EngineEntry*> byName;
    for (const EngineEntry& entry : ranked)
        byName[entry.name] = &entry;
    for (const auto& [key, entry] : value.items()) {
        const std::string path = name + "." + key;
        if (key == "default" && !entry.is_object()) {
            const KeyRow row{Scope::Top, "default", Way::Preferred, "load.backend", rank::kPreferredBackend,
                             ""};
            preferred(row, source(path), entry);
        } else if (!entry.is_object()) {
            wrongKind(source(path), entry, "an object");
        } else if (entry.empty()) {
            m_plan.ignored(source(path), entry, std::string(kNull));
        } else {
            object(entry, {Scope::Entry, path + ".", byName.at(key)});
        }
    }
}

void DocumentReader::unknown(const std::string& path, std::string_view name, const Json& value,
                             std::string_view reason) {
    struct Step {
        std::string path;
        std::string name;
        const Json* value;
    };
    std::vector<Step> open = {{path, std::string(name), &value}};
    while (!open.empty()) {
        const Step step = std::move(open.back());
        open.pop_back();
        if (namesSecret(step.name)) {
            m_plan.secret(source(step.path), std::string(kSecret));
        } else if (!isContainer(*step.value)) {
            m_plan.ignored(source(step.path), *step.value, std::string(reason));
        } else {
            std::vector<Step> inside;
            std::size_t index = 0;
            for (const auto& [key, entry] : step.value->items()) {
                const bool list = step.value->is_array();
                std::string below = list ? "[" + std::to_string(index++) + "]" : "." + key;
                inside.push_back({step.path + below, list ? step.name : key, &entry});
            }
            open.insert(open.end(), std::make_move_iterator(inside.rbegin()),
                        std::make_move_iterator(inside.rend()));
        }
    }
}

}  // namespace loader::app::ggufloader
