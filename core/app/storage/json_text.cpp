// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/storage/json_text.h"

#include <cmath>
#include <set>
#include <utility>

#include "core/app/storage/small_file.h"

namespace loader::app {
namespace {

/// Builds a document from events, so that limits hold while it is read and not after.
class Builder final : public Json::json_sax_t {
public:
    Builder(const JsonLimits& limits, JsonText& out) : m_limits(limits), m_out(out) {}

    const std::string& fault() const { return m_fault; }

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(number_integer_t value) override { return add(value); }
    bool number_unsigned(number_unsigned_t value) override { return add(value); }
    bool number_float(number_float_t value, const string_t& text) override {
        if (!std::isfinite(value)) return fail("the number " + text + " is not finite");
        return add(value);
    }
    bool string(string_t& value) override { return add(std::move(value)); }
    bool binary(binary_t&) override { return fail("it has binary data"); }

    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        m_open.back().key = name;
        if (!m_open.back().seen.insert(name).second) m_out.repeated.push_back(pathOf(name));
        return true;
    }

    bool parse_error(std::size_t position, const std::string& token,
                     const nlohmann::detail::exception& error) override {
        const std::string words = error.what();
        const bool number = words.find("number overflow") != std::string::npos;
        if (number) return fail("the number " + token + " is not finite");
        return fail("it is no JSON at byte " + std::to_string(position));
    }

private:
    struct Level {
        Json* value;
        std::string key;
        std::set<std::string> seen;
    };

    bool fail(std::string sentence) {
        if (m_fault.empty()) m_fault = std::move(sentence);
        return false;
    }

    /// @return where the value is now; null once there are too many
    Json* place(Json value) {
        if (++m_values > m_limits.values) {
            fail("it has more than " + std::to_string(m_limits.values) + " values");
            return nullptr;
        }
        if (m_open.empty()) {
            m_out.document = std::move(value);
            return &m_out.document;
        }
        Json& parent = *m_open.back().value;
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return &parent.back();
        }
        const std::string& key = m_open.back().key;
        return &(m_open.back().seen.size() > parent.size() ? append(parent, key, std::move(value))
                                                           : replace(parent, key, std::move(value)));
    }

    /// operator[] of an ordered object looks through all keys: with a million of them that takes forever.
    static Json& append(Json& object, const std::string& key, Json value) {
        auto& members = object.get_ref<Json::object_t&>();
        // The base class is a vector of pairs; emplace of the object would search.
        static_cast<std::vector<Json::object_t::value_type, Json::object_t::allocator_type>&>(members)
            .emplace_back(key, std::move(value));
        return members.back().second;
    }
    static Json& replace(Json& object, const std::string& key, Json value) {
        Json& member = object[key];
        member = std::move(value);
        return member;
    }

    bool add(Json value) { return place(std::move(value)) != nullptr; }

    bool open(Json value) {
        if (m_open.size() >= m_limits.depth)
            return fail("it is nested deeper than " + std::to_string(m_limits.depth));
        Json* here = place(std::move(value));
        if (here) m_open.push_back({here, {}, {}});
        return here != nullptr;
    }

    bool close() {
        m_open.pop_back();
        return true;
    }

    std::string pathOf(const std::string& last) const {
        std::string path;
        for (std::size_t i = 0; i + 1 < m_open.size(); ++i)
            path += m_open[i].key.empty() ? "" : m_open[i].key + ".";
        return path + last;
    }

    const JsonLimits& m_limits;
    JsonText& m_out;
    std::vector<Level> m_open;
    std::size_t m_values = 0;
    std::string m_fault;
};

}  // namespace

Result<JsonText> parseJson(std::string_view text, const JsonLimits& limits) {
    JsonText parsed;
    Builder builder(limits, parsed);
    if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
        const std::string fault = builder.fault();
        return Error(Errc::C501, {fault.empty() ? "it is no JSON" : fault});
    }
    return parsed;
}

Result<JsonText> readJsonFile(const std::string& path, const JsonLimits& limits) {
    LOADER_TRY(std::string bytes, readSmallFile(path));
    auto decoded = decodedText(std::move(bytes));
    if (!decoded) return std::move(decoded).error().within(path);
    auto parsed = parseJson(decoded->text, limits);
    if (!parsed) return std::move(parsed).error().within(path);
    return parsed;
}

}  // namespace loader::app
