// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/common/yaml_text.h"

#include <yaml.h>

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/app/storage/small_file.h"

namespace loader::importers {
namespace {

using app::Json;

/// All copies that aliases make together: a few lines could otherwise fill the memory.
constexpr std::size_t kMostCopiedBytes = std::size_t{16} << 20;

std::string textOf(const yaml_char_t* bytes, std::size_t length) {
    return std::string(reinterpret_cast<const char*>(bytes), length);
}
std::string textOf(const yaml_char_t* bytes) {
    return bytes ? std::string(reinterpret_cast<const char*>(bytes)) : std::string();
}

struct ParserCloser {
    void operator()(yaml_parser_t* parser) const {
        yaml_parser_delete(parser);
        delete parser;
    }
};
struct EventCloser {
    void operator()(yaml_event_t* event) const { yaml_event_delete(event); }
};

/// Values and bytes of texts below a value, itself included.
struct Cost {
    std::size_t values = 0;
    std::size_t bytes = 0;
};

class Builder {
public:
    Builder(const app::JsonLimits& limits, app::JsonText& out) : m_limits(limits), m_out(out) {}

    const std::string& fault() const { return m_fault; }
    /// @return false at the end and after a fault
    bool take(const yaml_event_t& event);

private:
    struct Level {
        Json value;
        std::string anchor;
        Cost cost;
        /// Of a mapping whose key was read and whose value was not.
        bool hasKey = false;
        std::string key;
        std::map<std::string, std::size_t> places;
    };

    bool fail(std::string sentence) {
        m_fault = std::move(sentence);
        return false;
    }
    bool document();
    bool scalar(const yaml_event_t& event);
    bool alias(const std::string& name);
    bool open(Json empty, const yaml_char_t* anchor);
    bool close();
    bool add(Json value, Cost cost, const std::string& anchor);
    bool takeKey(std::string key);
    bool awaitsKey() const {
        return !m_open.empty() && m_open.back().value.is_object() && !m_open.back().hasKey;
    }
    std::string pathOf(const std::string& last) const;

    const app::JsonLimits& m_limits;
    app::JsonText& m_out;
    std::vector<Level> m_open;
    std::map<std::string, std::pair<Json, Cost>> m_anchors;
    std::size_t m_documents = 0;
    Cost m_total;
    std::size_t m_copiedBytes = 0;
    std::string m_fault;
};

std::string Builder::pathOf(const std::string& last) const {
    std::string path;
    for (std::size_t i = 0; i + 1 < m_open.size(); ++i)
        path += m_open[i].key.empty() ? "" : m_open[i].key + ".";
    return path + last;
}

bool Builder::document() {
    return ++m_documents > 1 ? fail("it has several documents") : true;
}

bool Builder::takeKey(std::string key) {
    Level& level = m_open.back();
    level.hasKey = true;
    level.key = std::move(key);
    if (level.places.count(level.key) != 0) m_out.repeated.push_back(pathOf(level.key));
    return true;
}

bool Builder::add(Json value, Cost cost, const std::string& anchor) {
    m_total.values += 1;
    if (m_total.values > m_limits.values)
        return fail("it has more than " + std::to_string(m_limits.values) + " values");
    if (!anchor.empty()) {
        // Keeping it is a copy as well.
        m_copiedBytes += cost.bytes;
        m_total.values += cost.values;
        if (m_copiedBytes > kMostCopiedBytes) return fail("its aliases repeat too much");
        m_anchors[anchor] = {value, cost};
    }
    if (m_open.empty()) {
        m_out.document = std::move(value);
        return true;
    }
    Level& level = m_open.back();
    level.cost.values += cost.values;
    level.cost.bytes += cost.bytes;
    if (level.value.is_array()) {
        level.value.push_back(std::move(value));
        return true;
    }
    auto& members = level.value.get_ref<Json::object_t&>();
    const auto place = level.places.find(level.key);
    level.hasKey = false;
    if (place != level.places.end()) {
        (members.begin() + static_cast<std::ptrdiff_t>(place->second))->second = std::move(value);
        return true;
    }
    level.places.emplace(level.key, members.size());
    // The base class is a vector of pairs; emplace of the object would search all keys each time.
    static_cast<std::vector<Json::object_t::value_type, Json::object_t::allocator_type>&>(members)
        .emplace_back(level.key, std::move(value));
    return true;
}

bool Builder::scalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    std::string text = textOf(scalar.value, scalar.length);
    if (text.find('\0') != std::string::npos) return fail("it has a zero character");
    if (awaitsKey()) return takeKey(std::move(text));
    const std::string tag = textOf(scalar.tag);
    const bool asText = scalar.style != YAML_PLAIN_SCALAR_STYLE || tag == YAML_STR_TAG;
    const Cost cost{1, text.size()};
    Json value = asText ? Json(text) : plainScalar(text);
    return add(std::move(value), cost, textOf(scalar.anchor));
}

bool Builder::alias(const std::string& name) {
    if (awaitsKey()) return fail("a key is an alias");
    const auto found = m_anchors.find(name);
    if (found == m_anchors.end()) return fail("the alias " + name + " stands for nothing");
    const Cost cost = found->second.second;
    m_total.values += cost.values;
    m_copiedBytes += cost.bytes;
    const bool tooMuch = m_total.values > m_limits.values || m_copiedBytes > kMostCopiedBytes;
    return tooMuch ? fail("its aliases repeat too much") : add(found->second.first, cost, {});
}

bool Builder::open(Json empty, const yaml_char_t* anchor) {
    if (awaitsKey()) return fail("a key is a list or a mapping");
    if (m_open.size() >= m_limits.depth)
        return fail("it is nested deeper than " + std::to_string(m_limits.depth));
    Level level;
    level.value = std::move(empty);
    level.anchor = textOf(anchor);
    level.cost.values = 1;
    m_open.push_back(std::move(level));
    return true;
}

bool Builder::close() {
    Level level = std::move(m_open.back());
    m_open.pop_back();
    return add(std::move(level.value), level.cost, level.anchor);
}

bool Builder::take(const yaml_event_t& event) {
    switch (event.type) {
        case YAML_DOCUMENT_START_EVENT: return document();
        case YAML_SCALAR_EVENT: return scalar(event);
        case YAML_ALIAS_EVENT: return alias(textOf(event.data.alias.anchor));
        case YAML_SEQUENCE_START_EVENT: return open(Json::array(), event.data.sequence_start.anchor);
        case YAML_MAPPING_START_EVENT: return open(Json::object(), event.data.mapping_start.anchor);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT: return close();
        case YAML_STREAM_END_EVENT: return false;
        default: return true;
    }
}

}  // namespace

Result<app::JsonText> parseYaml(std::string_view text, const app::JsonLimits& limits) {
    const std::unique_ptr<yaml_parser_t, ParserCloser> parser(new yaml_parser_t{});
    if (yaml_parser_initialize(parser.get()) == 0) return Error(Errc::C501, {"there is too little memory"});
    yaml_parser_set_input_string(parser.get(), reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
    yaml_parser_set_encoding(parser.get(), YAML_UTF8_ENCODING);
    app::JsonText parsed;
    Builder builder(limits, parsed);
    bool more = true;
    while (more) {
        yaml_event_t event{};
        if (yaml_parser_parse(parser.get(), &event) == 0) {
            const std::string line = std::to_string(parser->problem_mark.line + 1);
            return Error(Errc::C501, {"it is no YAML at line " + line});
        }
        const std::unique_ptr<yaml_event_t, EventCloser> closer(&event);
        more = builder.take(event);
    }
    if (!builder.fault().empty()) return Error(Errc::C501, {builder.fault()});
    return parsed;
}

Result<app::JsonText> readYamlFile(const std::string& path, const app::JsonLimits& limits) {
    LOADER_TRY(std::string bytes, app::readSmallFile(path));
    auto decoded = app::decodedText(std::move(bytes));
    if (!decoded) return std::move(decoded).error().within(path);
    auto parsed = parseYaml(decoded->text, limits);
    if (!parsed) return std::move(parsed).error().within(path);
    return parsed;
}

}  // namespace loader::importers
