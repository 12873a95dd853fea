// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/storage/json_document.h"

#include <algorithm>
#include <utility>

#include "core/app/storage/file_steps.h"

namespace loader::app {
namespace {

constexpr const char* kSchema = "schema";
constexpr int kMostSetAside = 1000;
/// While a program starts nobody wants to wait for another one that writes; the next save settles it.
constexpr auto kPatienceOfReaders = std::chrono::milliseconds(200);

/// For people; without line breaks where that alone would make it too large to be read again.
std::string textOf(const Json& document) {
    std::string text = document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    if (text.size() > kMostConfigBytes) text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
    return text;
}

/// What is written must be readable: by size, by depth, by number of values.
Status checkReadable(const std::string& text, const std::string& path) {
    if (text.size() > kMostConfigBytes)
        return Error(Errc::C502, {std::to_string(text.size()), std::to_string(kMostConfigBytes)}, path);
    auto parsed = parseJson(text);
    return parsed ? Status() : Status(std::move(parsed).error().within(path));
}

bool isFaultOfContent(Errc code) {
    return code == Errc::C501 || code == Errc::C502;
}

}  // namespace

const Json* findIn(const Json& object, const JsonPath& path) {
    const Json* here = &object;
    for (const std::string& name : path) {
        if (!here->is_object()) return nullptr;
        const auto found = here->find(name);
        if (found == here->end()) return nullptr;
        here = &*found;
    }
    return here;
}

void setIn(Json& object, const JsonPath& path, Json value) {
    Json* here = &object;
    for (const std::string& name : path) {
        if (!here->is_object()) *here = Json::object();
        here = &(*here)[name];
    }
    *here = std::move(value);
}

bool eraseIn(Json& object, const JsonPath& path) {
    std::vector<Json*> way = {&object};
    for (const std::string& name : path) {
        if (!way.back()->is_object()) return false;
        const auto found = way.back()->find(name);
        if (found == way.back()->end()) return false;
        way.push_back(&*found);
    }
    for (std::size_t depth = path.size(); depth-- > 0;) {
        way[depth]->erase(path[depth]);
        if (!way[depth]->empty()) break;
    }
    return true;
}

JsonDocument::JsonDocument(FileOperations& files, std::string path, std::string lockPath, DocumentRules rules)
    : m_files(files), m_path(std::move(path)), m_lockPath(std::move(lockPath)), m_rules(std::move(rules)) {
    reload();
}

void JsonDocument::reload() {
    m_changes.clear();
    m_notices.clear();
    Reading reading = readFrom(m_path);
    if (!reading.damaged) {
        take(std::move(reading));
        return;
    }
    Reading recovered = recover();
    Result<std::string> aside = [&]() -> Result<std::string> {
        LOADER_TRY(const auto lock, m_files.lock(m_lockPath, std::min(m_rules.patience, kPatienceOfReaders)));
        // Another instance may have been faster.
        Reading again = readFrom(m_path);
        if (again.bytes != reading.bytes || !again.damaged) {
            recovered = again.damaged ? recover() : std::move(again);
            return std::string();
        }
        return settle(reading, recovered);
    }();
    const std::vector<Error> faults = std::move(reading.faults);
    take(std::move(recovered));
    m_notices.insert(m_notices.end(), faults.begin(), faults.end());
    if (aside.ok() && !aside->empty()) m_notices.push_back(Error(Errc::C519, {*aside}, m_path));
    if (!aside.ok()) m_notices.push_back(aside.error());
}

JsonDocument::Reading JsonDocument::readFrom(const std::string& path) const {
    Reading reading;
    auto bytes = m_files.read(path, kMostConfigBytes);
    if (bytes) {
        reading.bytes = std::move(*bytes);
        understand(reading, path);
        return reading;
    }
    if (bytes.error().code() == Errc::F802) return reading;
    reading.damaged = isFaultOfContent(bytes.error().code());
    reading.state = reading.damaged ? DocumentState::Recovered : DocumentState::Unreadable;
    reading.faults.push_back(std::move(bytes).error());
    return reading;
}

void JsonDocument::understand(Reading& reading, const std::string& path) const {
    const auto damaged = [&](Error error) {
        reading.damaged = true;
        reading.state = DocumentState::Recovered;
        reading.faults.push_back(std::move(error));
    };
    auto decoded = decodedText(reading.bytes);
    if (!decoded) return damaged(std::move(decoded).error().within(path));
    reading.encoding = decoded->encoding;
    auto parsed = parseJson(decoded->text);
    if (!parsed) return damaged(std::move(parsed).error().within(path));
    if (!parsed->document.is_object()) return damaged(Error(Errc::C501, {"it is no JSON object"}, path));
    reading.repeated = std::move(parsed->repeated);
    const auto mark = parsed->document.find(kSchema);
    if (mark == parsed->document.end()) {
        reading.state = DocumentState::Legacy;
        return;
    }
    const bool number = mark->is_number_integer();
    if (!number || *mark < 1 || *mark > 1'000'000)
        return damaged(Error(Errc::C501, {"its schema is no whole number from 1 on"}, path));
    const int schema = mark->get<int>();
    reading.value = std::move(parsed->document);
    reading.state = DocumentState::Good;
    if (schema > m_rules.schema) {
        reading.state = DocumentState::Newer;
        reading.faults.push_back(
            Error(Errc::C503, {std::to_string(schema), std::to_string(m_rules.schema)}, path));
        return;
    }
    Status current = bringUpToDate(reading.value, schema);
    if (current.ok()) return;
    reading.value = Json::object();
    reading.state = DocumentState::Unreadable;
    reading.faults.push_back(std::move(current).error().within(path));
}

Status JsonDocument::bringUpToDate(Json& document, int schema) const {
    for (; schema < m_rules.schema; ++schema) {
        const auto step = std::find_if(m_rules.steps.begin(), m_rules.steps.end(),
                                       [schema](const MigrationStep& one) { return one.from == schema; });
        if (step == m_rules.steps.end())
            return Error(Errc::X003, {"no step leads on from schema " + std::to_string(schema)});
        LOADER_CHECK(step->apply(document));
        document[kSchema] = schema + 1;
    }
    return {};
}

void JsonDocument::take(Reading reading) {
    m_state = reading.state;
    m_value = std::move(reading.value);
    m_repeated = std::move(reading.repeated);
    m_encoding = std::move(reading.encoding);
    m_notices = std::move(reading.faults);
}

JsonDocument::Reading JsonDocument::recover() const {
    for (int number = 1; number <= kGenerations; ++number) {
        Reading reading = readFrom(generation(number));
        const bool good = reading.state == DocumentState::Good || reading.state == DocumentState::Newer;
        if (!good) continue;
        if (reading.state == DocumentState::Good) reading.state = DocumentState::Recovered;
        return reading;
    }
    Reading empty;
    empty.state = DocumentState::Recovered;
    empty.value[kSchema] = m_rules.schema;
    empty.bytes = textOf(empty.value);
    return empty;
}

/// A copy under a name that is free, so that at no moment there is neither; the same bytes are not kept
/// twice.
Result<std::string> JsonDocument::setAside(const Reading& damaged) {
    LOADER_TRY(const std::string hash, sha256OfFile(m_files, m_path));
    for (int number = 0; number < kMostSetAside; ++number) {
        const std::string name = m_path + ".broken" + (number == 0 ? "" : "-" + std::to_string(number));
        LOADER_TRY(const FileFacts there, m_files.facts(name));
        if (there.kind == FileKind::Missing) {
            LOADER_CHECK(copyFile(m_files, m_path, name));
            return name;
        }
        const bool mayBeSame =
            there.kind == FileKind::Regular && (damaged.bytes.empty() || there.bytes == damaged.bytes.size());
        if (!mayBeSame) continue;
        auto other = sha256OfFile(m_files, name);
        if (other.ok() && *other == hash) return name;
    }
    return Error(Errc::F806, {"too many damaged files beside it"}, m_path);
}

Result<std::string> JsonDocument::settle(const Reading& damaged, const Reading& recovered) {
    LOADER_CHECK(removeLeftovers(m_files, m_path));
    LOADER_TRY(const std::string aside, setAside(damaged));
    LOADER_CHECK(replaceFile(m_files, m_path, recovered.bytes));
    return aside;
}

void JsonDocument::set(JsonPath path, Json value) {
    setIn(m_value, path, value);
    m_changes.push_back({std::move(path), std::move(value)});
}

void JsonDocument::erase(JsonPath path) {
    eraseIn(m_value, path);
    m_changes.push_back({std::move(path), std::nullopt});
}

Status JsonDocument::save() {
    if (m_changes.empty()) return {};
    // Before a lock file is made in a folder that is not to be touched.
    if (m_state == DocumentState::Newer || m_state == DocumentState::Unreadable) return m_notices.front();
    LOADER_CHECK(makeFolders(m_files, folderOf(m_path)));
    LOADER_TRY(const auto lock, m_files.lock(m_lockPath, m_rules.patience));
    return saveHolding(*lock);
}

Result<JsonDocument::Reading> JsonDocument::presentForWriting() {
    Reading present = readFrom(m_path);
    switch (present.state) {
        case DocumentState::Missing:
        case DocumentState::Good: return present;
        case DocumentState::Newer:
        case DocumentState::Unreadable: return present.faults.front();
        case DocumentState::Legacy:
            if (m_mayReplaceLegacy) return present;
            return Error(
                Errc::X005,
                {"the file is not one of this version; take it over with gguf migrate, or delete it"},
                m_path);
        case DocumentState::Recovered: break;
    }
    Reading recovered = recover();
    if (recovered.state == DocumentState::Newer) return recovered.faults.front();
    LOADER_TRY(const std::string aside, settle(present, recovered));
    m_notices.push_back(Error(Errc::C519, {aside}, m_path));
    return recovered;
}

Status JsonDocument::saveHolding(const HeldLock&) {
    if (m_changes.empty()) return {};
    LOADER_CHECK(removeLeftovers(m_files, m_path));
    LOADER_TRY(Reading present, presentForWriting());
    Json merged = present.state == DocumentState::Legacy ? Json::object() : present.value;
    // The mark stands first: whoever opens the file sees it.
    if (!merged.contains(kSchema)) merged = Json{{kSchema, m_rules.schema}};
    for (const Change& change : m_changes) {
        if (change.value)
            setIn(merged, change.path, *change.value);
        else
            eraseIn(merged, change.path);
    }
    const std::string text = textOf(merged);
    if (text != present.bytes) {
        LOADER_CHECK(checkReadable(text, m_path));
        const bool worthKeeping =
            present.state == DocumentState::Good || present.state == DocumentState::Legacy;
        if (worthKeeping) LOADER_CHECK(rotate(present.bytes));
        LOADER_CHECK(replaceFile(m_files, m_path, text));
    }
    m_state = DocumentState::Good;
    m_value = std::move(merged);
    m_changes.clear();
    m_mayReplaceLegacy = false;
    return {};
}

Status JsonDocument::restoreGeneration(int number) {
    const Reading earlier = readFrom(generation(number));
    if (earlier.state == DocumentState::Missing) return Error(Errc::F802, {}, generation(number));
    if (!earlier.faults.empty()) return earlier.faults.front();
    LOADER_TRY(const auto lock, m_files.lock(m_lockPath, m_rules.patience));
    LOADER_CHECK(removeLeftovers(m_files, m_path));
    LOADER_TRY(const Reading present, presentForWriting());
    // Before it turns: what is restored may be the oldest one.
    if (present.state == DocumentState::Good || present.state == DocumentState::Legacy)
        LOADER_CHECK(rotate(present.bytes));
    LOADER_CHECK(replaceFile(m_files, m_path, earlier.bytes));
    reload();
    return {};
}

/// The present file is only copied: at every moment it is there. A save that was stopped before has left its
/// copy as the newest generation already.
Status JsonDocument::rotate(const std::string& present) {
    const auto newest = m_files.read(generation(1), kMostConfigBytes);
    if (newest && *newest == present) return {};
    const std::string next = generation(0);
    LOADER_CHECK(replaceFile(m_files, next, present));
    for (int number = kGenerations; number >= 1; --number) {
        LOADER_TRY(const FileFacts there, m_files.facts(generation(number - 1)));
        if (there.kind == FileKind::Missing) continue;
        LOADER_CHECK(renamePatiently(m_files, generation(number - 1), generation(number)));
    }
    return m_files.syncFolder(folderOf(m_path));
}

}  // namespace loader::app
