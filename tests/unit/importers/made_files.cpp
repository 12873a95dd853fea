// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/unit/importers/made_files.h"

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "core/engine/base/utf8.h"

namespace loader::test {
namespace {

namespace fs = std::filesystem;
using app::Json;

std::string contentOf(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Bytes as QDataStream puts them.
class Stream {
public:
    void number(std::uint64_t value, int bytes) {
        for (int i = bytes - 1; i >= 0; --i)
            m_bytes += static_cast<char>((value >> (8 * i)) & 0xFF);
    }
    void text(const std::string& text) {
        std::string units;
        std::string_view rest = text;
        while (!rest.empty()) {
            const utf8::Decoded one = utf8::decode(rest);
            rest.remove_prefix(one.length);
            if (one.codePoint >= 0x10000) {
                unit(units, 0xD800 + ((one.codePoint - 0x10000) >> 10));
                unit(units, 0xDC00 + ((one.codePoint - 0x10000) & 0x3FF));
            } else {
                unit(units, one.codePoint);
            }
        }
        raw(units);
    }
    void raw(const std::string& bytes) {
        number(bytes.size(), 4);
        m_bytes += bytes;
    }
    const std::string& bytes() const { return m_bytes; }

private:
    static void unit(std::string& units, char32_t value) {
        units += static_cast<char>(value >> 8);
        units += static_cast<char>(value & 0xFF);
    }
    std::string m_bytes;
};

std::string textAt(const Json& object, const char* key) {
    return object.value(key, std::string());
}

void writeParts(Stream& out, const Json& parts) {
    out.number(parts.size(), 8);
    for (const Json& part : parts) {
        out.text(textAt(part, "name"));
        out.text(textAt(part, "value"));
        if (part["name"] == "Think: ") out.number(part.value("time", 0), 4);
        if (part["name"] == "ToolCall: ") {
            const Json call = part.value("call", Json::object());
            const Json parameters = call.value("params", Json::array());
            out.text(textAt(call, "name"));
            out.number(parameters.size(), 8);
            for (const Json& parameter : parameters) {
                out.text(textAt(parameter, "name"));
                out.number(0, 4);
                // A QVariant with a QString.
                out.number(10, 4);
                out.number(0, 1);
                out.text(textAt(parameter, "value"));
            }
            out.text(textAt(call, "result"));
            out.number(0, 4);
            out.text({});
        }
        writeParts(out, part.value("parts", Json::array()));
    }
}

void writeSources(Stream& out, const Json& item, int version) {
    const auto sources = item.value("sources", std::uint64_t{0});
    if (version >= 8) {
        out.number(sources, 8);
        for (std::uint64_t i = 0; i < sources; ++i) {
            for (const char* text : {"collection", "/a/b.pdf", "b.pdf", "title", "author", "", "an excerpt"})
                out.text(text);
            out.number(1, 4);
            out.number(0xFFFFFFFF, 4);
            out.number(0xFFFFFFFF, 4);
        }
    } else if (version >= 3) {
        out.text(sources > 0 ? "1. In b.pdf. [Context](context://1)" : "");
        out.number(sources, 4);
        for (std::uint64_t i = 0; i < sources; ++i)
            out.text("an excerpt");
    }
}

void writeItem(Stream& out, const Json& item, int version) {
    if (version < 12) out.number(0, 4);
    const std::string name = textAt(item, "name");
    out.text(name);
    out.text(textAt(item, "value"));
    if (version < 10) out.text({});
    out.text(textAt(item, "newResponse"));
    out.number(0, 4);
    if (version >= 11 && name == "Response: ") out.number(0, 1);
    writeSources(out, item, version);
    if (version >= 10) {
        const Json attachments = item.value("attachments", Json::array());
        out.number(attachments.size(), 8);
        for (const Json& one : attachments) {
            out.raw(textAt(one, "url"));
            out.raw(textAt(one, "content"));
        }
    }
    if (version >= 12) writeParts(out, item.value("parts", Json::array()));
}

/// What an engine remembered, with a cache of three tokens where the version has one.
void writeState(Stream& out, int version, bool cache) {
    if (version >= 6) out.number(cache ? 1 : 0, 1);
    if (version >= 2) {
        out.number(1, 4);
        out.number(0, 4);
    }
    out.text("the last answer");
    out.text("a name");
    out.number(17, 4);
    if (version >= 6 && !cache) return;
    if (version < 4) out.number(0, 4);
    out.number(3, 4);
    if (version >= 7) out.number(2048, 4);
    if (version < 9) {
        out.number(2, 8);
        out.number(0, 8);
    }
    out.number(3, 8);
    out.number(1, 4);
    out.number(2, 4);
    out.number(3, 4);
    out.raw(std::string(100, 's'));
}

std::string makeDatabase(const fs::path& target, const std::string& sql) {
    sqlite3* handle = nullptr;
    std::string fault;
    if (sqlite3_open(target.string().c_str(), &handle) != SQLITE_OK ||
        sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        fault = target.string() + ": " + sqlite3_errmsg(handle);
    sqlite3_close(handle);
    return fault;
}

}  // namespace

std::string gpt4AllChat(const Json& description) {
    Stream out;
    const int version = description.value("version", 12);
    out.number(0xF5D553CC, 4);
    out.number(static_cast<std::uint64_t>(version), 4);
    out.number(description.value("created", std::uint64_t{0}), 8);
    for (const char* key : {"id", "name", "userName", "model"})
        out.text(textAt(description, key));
    if (version >= 3) {
        const Json collections = description.value("collections", Json::array());
        out.number(collections.size(), 4);
        for (const Json& one : collections)
            out.text(one.get<std::string>());
    }
    if (version < 11) writeState(out, version, description.value("cache", false));
    const Json items = description.value("items", Json::array());
    out.number(items.size(), 4);
    for (const Json& item : items)
        writeItem(out, item, version);
    return out.bytes();
}

std::string makeFiles(const std::string& root) {
    std::vector<fs::path> sources;
    for (const auto& entry : fs::recursive_directory_iterator(root))
        if (entry.is_regular_file()) sources.push_back(entry.path());
    for (const fs::path& source : sources) {
        const std::string name = source.filename().string();
        const fs::path target = source.parent_path() / source.stem();
        const bool database = name.ends_with(".sqlite.sql");
        const bool chat = name.ends_with(".chat.json");
        if (!database && !chat) continue;
        const std::string text = contentOf(source);
        fs::remove(source);
        if (database) {
            const std::string fault = makeDatabase(target, text);
            if (!fault.empty()) return fault;
        } else {
            std::ofstream(target, std::ios::binary) << gpt4AllChat(Json::parse(text));
        }
    }
    return {};
}

}  // namespace loader::test
