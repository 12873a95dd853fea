// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/history.h"

#include <QFile>
#include <QLockFile>
#include <QString>
#include <algorithm>
#include <filesystem>

#include "core/app/benchmark/json_fields.h"
#include "core/engine/base/atomic_file.h"
#include "core/engine/base/mapped_file.h"

namespace loader::app {
namespace {

constexpr int kLockTimeMs = 500;
/// Record, part, samples.
constexpr JsonLimits kLimits{6, 5000};

enum class LineKind : std::uint8_t { Measurement, Use, Newer, Damaged };

LineKind kindOf(const Error& error) {
    return error.code() == Errc::D302 ? LineKind::Newer : LineKind::Damaged;
}

/// @param into gets what the line holds; may be null
LineKind readLine(std::string_view line, HistoryContent* into) {
    if (line.size() > History::kMostLineBytes) return LineKind::Damaged;
    const auto json = parseJson(line, kLimits);
    if (!json.ok() || !json->document.is_object()) return LineKind::Damaged;
    const auto kind = json->document.find("kind");
    if (kind != json->document.end() && *kind == "use") {
        auto use = usageFromJson(json->document);
        if (!use.ok()) return kindOf(use.error());
        if (into) into->uses.push_back(std::move(use).value());
        return LineKind::Use;
    }
    auto measurement = measurementFromJson(json->document);
    if (!measurement.ok()) return kindOf(measurement.error());
    if (into) into->measurements.push_back(std::move(measurement).value());
    return LineKind::Measurement;
}

template <class Visitor>
void forEachLine(std::string_view text, const Visitor& visit) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        if (!line.empty()) visit(line);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
}

/// The end of the file; what stands in front of its first whole line is left out where there is more.
std::string endOf(const std::string& path) {
    const auto file = FileSource::open(path);
    if (!file.ok()) return {};
    const std::uint64_t bytes = std::min((*file)->size(), 2 * History::kMostBytes);
    std::string text(static_cast<std::size_t>(bytes), '\0');
    const auto read =
        (*file)->read((*file)->size() - bytes, std::as_writable_bytes(std::span(text.data(), text.size())));
    if (!read.ok()) return {};
    if (bytes < (*file)->size()) text.erase(0, text.find('\n') + 1);
    return text;
}

/// Which lines stay, from the newest on. Damaged ones go.
std::string newestLines(std::string_view text) {
    std::vector<std::string_view> lines;
    forEachLine(text, [&lines](std::string_view line) { lines.push_back(line); });
    std::vector<std::string_view> kept;
    std::size_t uses = 0;
    std::size_t others = 0;
    std::uint64_t bytes = 0;
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        const LineKind kind = readLine(*line, nullptr);
        if (kind == LineKind::Damaged) continue;
        std::size_t& count = kind == LineKind::Use ? uses : others;
        const std::size_t most = kind == LineKind::Use ? History::kMostUses : History::kMostMeasurements;
        if (count >= most || bytes + line->size() + 1 > History::kKeptBytes) continue;
        ++count;
        bytes += line->size() + 1;
        kept.push_back(*line);
    }
    std::string out;
    for (auto line = kept.rbegin(); line != kept.rend(); ++line)
        out.append(*line) += '\n';
    return out;
}

/// It tells which models somebody uses.
Status makePrivateFolder(const std::string& folder) {
    std::error_code fault;
    const auto place = std::filesystem::u8path(folder);
    const bool made = std::filesystem::create_directories(place, fault);
    if (fault) return Error(Errc::F806, {fault.message()}, folder);
    if (made) std::filesystem::permissions(place, std::filesystem::perms::owner_all, fault);
    return {};
}

}  // namespace

Status History::append(const Measurement& measurement) const {
    return appendLine(measurementJson(measurement));
}

Status History::append(const UsageRecord& record) const {
    return appendLine(usageJson(record));
}

Status History::appendLine(const Json& entry) const {
    std::string line = entry.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    if (line.size() > kMostLineBytes) return Error(Errc::X003, {"a record of the history is too long"});
    LOADER_CHECK(makePrivateFolder(m_folder));
    QLockFile lock(QString::fromStdString(path() + ".lock"));
    if (!lock.tryLock(kLockTimeMs)) return Error(Errc::F806, {"another program is writing"}, path());
    QFile file(QString::fromStdString(path()));
    const bool fresh = !file.exists();
    const auto fail = [&] { return Error(Errc::F806, {file.errorString().toStdString()}, path()); };
    if (!file.open(QIODevice::ReadWrite)) return fail();
    if (fresh) file.setPermissions(QFileDevice::ReadOwner | QFileDevice::WriteOwner);
    // A write that was cut off must not spoil the next line too.
    const qint64 size = file.size();
    char last = '\n';
    if (size > 0 && !(file.seek(size - 1) && file.getChar(&last))) return fail();
    if (last != '\n') line.insert(line.begin(), '\n');
    if (!file.seek(size) || file.write(line.data(), static_cast<qint64>(line.size())) < 0 || !file.flush())
        return fail();
    const bool tooLong = static_cast<std::uint64_t>(file.size()) > kMostBytes;
    file.close();
    return tooLong ? shorten() : Status();
}

Status History::shorten() const {
    const std::string text = newestLines(endOf(path()));
    LOADER_TRY(const auto file, AtomicFile::create(path()));
    LOADER_CHECK(file->append(std::as_bytes(std::span(text))));
    return file->commit();
}

HistoryContent History::parse(std::string_view text) {
    HistoryContent content;
    forEachLine(text, [&content](std::string_view line) {
        const LineKind kind = readLine(line, &content);
        content.damaged += kind == LineKind::Damaged ? 1 : 0;
        content.newer += kind == LineKind::Newer ? 1 : 0;
    });
    return content;
}

HistoryContent History::read() const {
    return parse(endOf(path()));
}

}  // namespace loader::app
