// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/model_book.h"

#include <QLockFile>
#include <filesystem>

#include "core/app/library/stores.h"
#include "core/app/storage/json_text.h"
#include "core/app/storage/small_file.h"
#include "core/app/storage/utf8_path.h"
#include "core/engine/base/atomic_file.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;

constexpr int kPatienceMs = 5000;
constexpr int kMostAside = 1000;

std::string textAt(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <class T>
T numberAt(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<T>() : T{};
}

/// The entries of a list that are objects with a path.
template <class Take>
void eachWithPath(const Json& document, const char* key, const Take& take) {
    const auto list = document.find(key);
    if (list == document.end() || !list->is_array()) return;
    for (const Json& entry : *list) {
        if (entry.is_object() && !textAt(entry, "path").empty()) take(entry);
    }
}

Json jsonOf(const BookPages& pages) {
    Json document = {{"schema", ModelBook::kSchema}, {"models", Json::array()}, {"made", Json::array()}};
    for (const AddedModel& model : pages.models) {
        Json entry = {{"path", model.path}};
        if (!model.name.empty()) entry["name"] = model.name;
        if (!model.projector.empty()) entry["projector"] = model.projector;
        if (!model.sha256.empty()) entry["sha256"] = model.sha256;
        document["models"].push_back(std::move(entry));
    }
    for (const MadeFile& file : pages.made) {
        document["made"].push_back({{"path", file.path},
                                    {"bytes", file.identity.bytes},
                                    {"modified", file.identity.modified},
                                    {"device", file.identity.device},
                                    {"inode", file.identity.inode}});
    }
    return document;
}

}  // namespace

Result<BookPages> ModelBook::parse(const std::string& text) {
    LOADER_TRY(const JsonText parsed, parseJson(text));
    const Json& document = parsed.document;
    if (!document.is_object()) return Error(Errc::C501, {"it is no object"}, m_path);
    const int schema = numberAt<int>(document, "schema");
    if (schema < 1) return Error(Errc::C501, {"it has no schema"}, m_path);
    m_newer = schema > kSchema;
    if (m_newer) m_note = Error(Errc::C503, {std::to_string(schema), std::to_string(kSchema)}, m_path);
    BookPages pages;
    eachWithPath(document, "models", [&](const Json& entry) {
        pages.models.push_back({textAt(entry, "path"), textAt(entry, "name"), textAt(entry, "projector"),
                                textAt(entry, "sha256")});
    });
    eachWithPath(document, "made", [&](const Json& entry) {
        MadeFile file{textAt(entry, "path"), {}};
        file.identity.kind = FileIdentity::Kind::File;
        file.identity.bytes = numberAt<std::uint64_t>(entry, "bytes");
        file.identity.modified = numberAt<std::int64_t>(entry, "modified");
        file.identity.device = numberAt<std::uint64_t>(entry, "device");
        file.identity.inode = numberAt<std::uint64_t>(entry, "inode");
        pages.made.push_back(std::move(file));
    });
    return pages;
}

void ModelBook::setAside() {
    std::error_code fault;
    for (int number = 1; number < kMostAside; ++number) {
        const std::string place = m_path + ".broken" + (number == 1 ? "" : "-" + std::to_string(number));
        if (fs::exists(utf8Path(place), fault)) continue;
        fs::rename(utf8Path(m_path), utf8Path(place), fault);
        m_note = Error(Errc::D301, {"it was set aside as " + place}, m_path);
        return;
    }
}

Result<BookPages> ModelBook::read() {
    m_note.reset();
    m_newer = false;
    auto text = readSmallFile(m_path);
    if (!text.ok()) {
        if (text.error().code() == Errc::F802) return BookPages{};
        return text.error();
    }
    auto pages = parse(*text);
    if (pages.ok()) return pages;
    setAside();
    return BookPages{};
}

Status ModelBook::write(const BookPages& pages) const {
    const std::string text = jsonOf(pages).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    LOADER_TRY(const auto file, AtomicFile::create(m_path));
    LOADER_CHECK(file->append(std::as_bytes(std::span(text.data(), text.size()))));
    return file->commit();
}

Status ModelBook::change(const std::function<Status(BookPages&)>& change) {
    if (m_path.empty()) return Error(Errc::F806, {"there is no folder for it"});
    std::error_code fault;
    fs::create_directories(utf8Path(m_path).parent_path(), fault);
    QLockFile lock(QString::fromStdString(m_path + ".lock"));
    if (!lock.tryLock(kPatienceMs)) return Error(Errc::C506, {m_path}, m_path);
    LOADER_TRY(BookPages pages, read());
    if (m_newer) return *m_note;
    LOADER_CHECK(change(pages));
    return write(pages);
}

}  // namespace loader::app
