// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/json_fields.h"

#include <QDateTime>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/engine/base/utf8.h"

namespace loader::app {
namespace {

constexpr double kMostFigure = 1e15;
/// The end of the year 9999.
constexpr std::int64_t kLastTime = 253402300799;

const Json& nothing() {
    static const Json empty = Json::object();
    return empty;
}

bool isControl(char byte) {
    const auto code = static_cast<unsigned char>(byte);
    return code < 0x20 || code == 0x7F;
}

bool isUsableText(const Json& value) {
    if (!value.is_string()) return false;
    const auto& text = value.get_ref<const std::string&>();
    return text.size() <= JsonFields::kMostTextBytes && utf8::isValid(text) &&
           std::none_of(text.begin(), text.end(), isControl);
}

}  // namespace

JsonFields::JsonFields(const Json& object, std::string place)
    : m_object(object.is_object() ? object : nothing()), m_place(std::move(place)) {
    if (!object.is_object()) m_fault = m_place + " is no object";
}

const Json* JsonFields::find(std::string_view key) {
    const auto found = m_object.find(key);
    return found == m_object.end() ? nullptr : &*found;
}

void JsonFields::fail(std::string_view key, std::string_view what) {
    if (m_fault.empty()) m_fault = m_place + "." + std::string(key) + " is no " + std::string(what);
}

bool JsonFields::isFigure(const Json& value) const {
    if (!value.is_number()) return false;
    const double number = value.get<double>();
    return std::isfinite(number) && number >= 0.0 && number <= kMostFigure;
}

std::string JsonFields::text(std::string_view key) {
    const Json* value = find(key);
    if (value && isUsableText(*value)) return value->get<std::string>();
    fail(key, "usable text");
    return {};
}

std::uint64_t JsonFields::count(std::string_view key, std::uint64_t most) {
    const Json* value = find(key);
    const bool whole = value && value->is_number_unsigned() && value->get<std::uint64_t>() <= most;
    if (whole) return value->get<std::uint64_t>();
    fail(key, "whole number up to " + std::to_string(most));
    return 0;
}

std::uint32_t JsonFields::smallCount(std::string_view key) {
    return static_cast<std::uint32_t>(count(key, std::numeric_limits<std::uint32_t>::max()));
}

bool JsonFields::flag(std::string_view key) {
    const Json* value = find(key);
    if (value && value->is_boolean()) return value->get<bool>();
    fail(key, "true or false");
    return false;
}

double JsonFields::figure(std::string_view key) {
    const Json* value = find(key);
    if (value && isFigure(*value)) return value->get<double>();
    fail(key, "number that a measurement can have");
    return 0.0;
}

std::optional<double> JsonFields::figureOrNull(std::string_view key) {
    const Json* value = find(key);
    if (!value || value->is_null()) return std::nullopt;
    return figure(key);
}

std::vector<double> JsonFields::figures(std::string_view key) {
    const Json* value = find(key);
    const bool usable =
        value && value->is_array() && value->size() <= kMostSamples &&
        std::all_of(value->begin(), value->end(), [this](const Json& sample) { return isFigure(sample); });
    if (!usable) {
        fail(key, "list of numbers that measurements can have");
        return {};
    }
    std::vector<double> samples;
    for (const Json& sample : *value)
        samples.push_back(sample.get<double>());
    return samples;
}

std::vector<std::string> JsonFields::texts(std::string_view key, std::size_t most) {
    const Json* value = find(key);
    const bool usable = value && value->is_array() && value->size() <= most &&
                        std::all_of(value->begin(), value->end(), isUsableText);
    if (!usable) {
        fail(key, "list of texts");
        return {};
    }
    std::vector<std::string> list;
    for (const Json& entry : *value)
        list.push_back(entry.get<std::string>());
    return list;
}

std::int64_t JsonFields::time(std::string_view key) {
    const std::string written = text(key);
    const QDateTime moment = QDateTime::fromString(QString::fromStdString(written), Qt::ISODate);
    const std::int64_t seconds = moment.isValid() ? moment.toSecsSinceEpoch() : -1;
    if (seconds >= 0 && seconds <= kLastTime) return seconds;
    fail(key, "time");
    return 0;
}

const Json& JsonFields::object(std::string_view key) {
    const Json* value = find(key);
    if (value && value->is_object()) return *value;
    fail(key, "object");
    return nothing();
}

Status JsonFields::status() const {
    return m_fault.empty() ? Status() : Status(Error(Errc::C501, {m_fault}));
}

void JsonFields::take(const Status& part) {
    if (m_fault.empty() && !part.ok()) m_fault = part.error().args().front();
}

std::string plainText(std::string_view text) {
    std::string plain = utf8::sanitized(text);
    std::replace_if(plain.begin(), plain.end(), isControl, ' ');
    if (plain.size() <= JsonFields::kMostTextBytes) return plain;
    std::size_t end = JsonFields::kMostTextBytes;
    while (end > 0 && (static_cast<unsigned char>(plain[end]) & 0xC0u) == 0x80u)
        --end;
    plain.resize(end);
    return plain;
}

std::string timeText(std::int64_t time) {
    return QDateTime::fromSecsSinceEpoch(time, Qt::UTC).toString(Qt::ISODate).toStdString();
}

std::int64_t currentTime() {
    return QDateTime::currentSecsSinceEpoch();
}

}  // namespace loader::app
