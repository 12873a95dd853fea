// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/gpt4all/chat_file.h"

#include <optional>
#include <vector>

#include "core/engine/base/utf8.h"

namespace loader::importers::gpt4all {
namespace {

constexpr std::uint32_t kNoText = 0xFFFFFFFF;
/// Answers are nested three deep.
constexpr int kDeepest = 8;
constexpr std::size_t kMostMessages = 10'000'000;

// Types of values, as Qt numbers them.
constexpr std::uint32_t kBool = 1;
constexpr std::uint32_t kInt = 2;
constexpr std::uint32_t kUInt = 3;
constexpr std::uint32_t kLongLong = 4;
constexpr std::uint32_t kULongLong = 5;
constexpr std::uint32_t kDouble = 6;
constexpr std::uint32_t kString = 10;

/// Takes from the front and never further than the end. After the first fault everything is empty.
class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : m_bytes(bytes) {}

    bool ok() const { return m_fault.empty(); }
    const std::string& fault() const { return m_fault; }
    std::size_t left() const { return m_bytes.size() - m_at; }

    void fail(std::string what) {
        if (m_fault.empty()) m_fault = std::move(what) + " at byte " + std::to_string(m_at);
        m_at = m_bytes.size();
    }

    std::uint64_t number(std::size_t bytes) {
        if (left() < bytes) {
            fail("it ends in the middle of a number");
            return 0;
        }
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            value = (value << 8) | static_cast<unsigned char>(m_bytes[m_at++]);
        return value;
    }
    std::uint32_t unsigned32() { return static_cast<std::uint32_t>(number(4)); }
    std::int32_t signed32() { return static_cast<std::int32_t>(unsigned32()); }
    std::int64_t signed64() { return static_cast<std::int64_t>(number(8)); }
    bool flag() { return number(1) != 0; }

    void skip(std::uint64_t bytes) {
        if (bytes > left()) return fail("it ends in the middle of its data");
        m_at += static_cast<std::size_t>(bytes);
    }

    /// A count of things of at least so many bytes each.
    std::size_t count(std::int64_t number, std::size_t least) {
        if (!ok()) return 0;
        if (number < 0 || static_cast<std::uint64_t>(number) > left() / least) {
            fail("it counts more than it holds");
            return 0;
        }
        return static_cast<std::size_t>(number);
    }

    std::string_view bytes() {
        const std::uint32_t length = unsigned32();
        if (length == kNoText || !ok()) return {};
        if (length > left()) {
            fail("it ends in the middle of its data");
            return {};
        }
        const std::string_view taken = m_bytes.substr(m_at, length);
        m_at += length;
        return taken;
    }

    std::string text() {
        const std::string_view units = bytes();
        if (units.size() % 2 != 0) {
            fail("a text has half a character");
            return {};
        }
        std::string text;
        for (std::size_t at = 0; at < units.size(); at += 2) {
            char32_t point = unitAt(units, at);
            const bool high = point >= 0xD800 && point < 0xDC00 && at + 4 <= units.size();
            const char32_t low = high ? unitAt(units, at + 2) : 0;
            if (low >= 0xDC00 && low < 0xE000) {
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
                at += 2;
            } else if (point >= 0xD800 && point < 0xE000) {
                point = utf8::kReplacement;
            }
            utf8::append(text, point);
        }
        return text;
    }

    std::vector<std::string> texts() {
        std::vector<std::string> list;
        const std::size_t size = count(unsigned32(), 4);
        for (std::size_t i = 0; i < size && ok(); ++i)
            list.push_back(text());
        return list;
    }

    /// A value of one of the simple types; others are not unpacked.
    void skipVariant() {
        const std::uint32_t type = unsigned32();
        const bool null = flag();
        static_cast<void>(null);
        switch (type) {
            case 0: return;
            case kBool: return skip(1);
            case kInt:
            case kUInt: return skip(4);
            case kLongLong:
            case kULongLong:
            case kDouble: return skip(8);
            case kString: skipText(); return;
            default: fail("it has a value of a kind that is never unpacked");
        }
    }
    void skipText() { static_cast<void>(bytes()); }

private:
    static char32_t unitAt(std::string_view units, std::size_t at) {
        return static_cast<char32_t>((static_cast<unsigned char>(units[at]) << 8) |
                                     static_cast<unsigned char>(units[at + 1]));
    }

    std::string_view m_bytes;
    std::size_t m_at = 0;
    std::string m_fault;
};

void addParagraph(std::string& text, const std::string& more) {
    if (more.empty()) return;
    if (!text.empty()) text += "\n\n";
    text += more;
}

/// Without the tags around it.
std::string thoughtOf(std::string text) {
    constexpr std::string_view kBegin = "<think>";
    constexpr std::string_view kEnd = "</think>";
    if (text.starts_with(kBegin)) text.erase(0, kBegin.size());
    if (text.ends_with(kEnd)) text.resize(text.size() - kEnd.size());
    const std::size_t first = text.find_first_not_of("\n ");
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of("\n ") - first + 1);
}

/// The file's name at the end of an address.
std::string nameInAddress(std::string_view address) {
    return utf8::sanitized(address.substr(address.rfind('/') + 1));
}

class ChatReader {
public:
    explicit ChatReader(std::string_view bytes) : m_in(bytes) {}

    Result<ChatFile> read() {
        if (m_in.unsigned32() != kChatMagic) return Error(Errc::C501, {"it is no file of a chat"});
        m_file.version = m_in.signed32();
        if (m_file.version < 1 || m_file.version > kLastChatVersion)
            return Error(Errc::C501,
                         {"version " + std::to_string(m_file.version) + " of chats is not known"});
        const std::int64_t created = m_in.signed64();
        m_file.id = m_in.text();
        m_file.chat.title = m_in.text();
        m_in.skipText();
        m_model = m_in.text();
        if (m_file.version >= 3) static_cast<void>(m_in.texts());
        if (m_file.version < 11) skipState();
        readItems();
        if (!m_in.ok()) return Error(Errc::C501, {m_in.fault()});
        m_file.chat.identity = "gpt4all:" + m_file.id;
        m_file.chat.folder = "GPT4All";
        // Seconds since 1970, up to the year 2286.
        if (created > 0 && created < 9'999'999'999) m_file.chat.created = created * 1000;
        return std::move(m_file);
    }

private:
    /// What the engine remembered; the conversation follows as text.
    void skipState() {
        const int version = m_file.version;
        const bool cache = version < 6 || m_in.flag();
        if (version >= 2) m_in.skip(8);
        m_in.skipText();
        m_in.skipText();
        m_in.skip(4);
        if (!cache) return;
        if (version < 4) m_in.skip(4);
        m_in.skip(4);
        if (version >= 7) m_in.skip(4);
        if (version < 9) skipNumbers();
        skipNumbers();
        m_in.skipText();
    }

    void skipNumbers() {
        const auto count = static_cast<std::int64_t>(m_in.number(8));
        m_in.skip(static_cast<std::uint64_t>(m_in.count(count, 4)) * 4);
    }

    void readItems() {
        const std::size_t count = m_in.count(m_in.signed32(), 16);
        for (std::size_t i = 0; i < count && i < kMostMessages && m_in.ok(); ++i)
            readItem();
    }

    void readItem() {
        const int version = m_file.version;
        if (version < 12) m_in.skip(4);
        const std::string name = m_in.text();
        const std::string value = m_in.text();
        if (version < 10) m_in.skipText();
        const std::string corrected = m_in.text();
        m_in.skip(4);
        const bool answer = name == "Response: ";
        if (version >= 11 && answer) m_in.skip(1);
        readSources();
        app::ImportedMessage message;
        if (version >= 10) readAttachments(message.text);
        if (version >= 12) readParts(message, 0);
        addParagraph(message.text, value);
        // What the user would have liked to read instead.
        if (!corrected.empty() && corrected != value) addParagraph(message.text, corrected);
        if (!m_in.ok()) return;
        message.role = answer ? "assistant" : name == "System: " ? "system" : "user";
        if (!answer && name != "Prompt: " && name != "System: ")
            return m_in.fail("it has a message of no kind");
        if (answer) message.model = m_model;
        auto& messages = m_file.chat.messages;
        if (!messages.empty()) message.parent = messages.size() - 1;
        messages.push_back(std::move(message));
    }

    void readSources() {
        if (m_file.version >= 8) {
            const std::size_t count = m_in.count(m_in.signed64(), 40);
            for (std::size_t i = 0; i < count && m_in.ok(); ++i) {
                for (int k = 0; k < 7; ++k)
                    m_in.skipText();
                m_in.skip(12);
            }
            m_file.excerpts += count;
        } else if (m_file.version >= 3) {
            m_in.skipText();
            m_file.excerpts += m_in.texts().size();
        }
    }

    void readAttachments(std::string& text) {
        const std::size_t count = m_in.count(m_in.signed64(), 8);
        for (std::size_t i = 0; i < count && m_in.ok(); ++i) {
            const std::string name = nameInAddress(m_in.bytes());
            m_in.skipText();
            addParagraph(text, "[file: " + name + "]");
        }
        m_file.attachments += count;
    }

    /// Parts of an answer: text, thoughts, calls of tools and what they said.
    void readParts(app::ImportedMessage& message, int depth) {
        const std::size_t count = m_in.count(m_in.signed64(), 12);
        if (depth >= kDeepest && count > 0) return m_in.fail("it is nested too deep");
        for (std::size_t i = 0; i < count && m_in.ok(); ++i) {
            const std::string name = m_in.text();
            const std::string value = m_in.text();
            if (name == "Think: ") {
                m_in.skip(4);
                addParagraph(message.reasoning, thoughtOf(value));
            } else if (name == "ToolCall: ") {
                skipCall();
                addParagraph(message.text, value);
            } else if (name == "Text: " || name == "Response: " || name == "ToolResponse: ") {
                addParagraph(message.text, value);
            } else {
                return m_in.fail("it has a part of no kind");
            }
            readParts(message, depth + 1);
        }
    }

    void skipCall() {
        m_in.skipText();
        const std::size_t count = m_in.count(m_in.signed64(), 13);
        for (std::size_t i = 0; i < count && m_in.ok(); ++i) {
            m_in.skipText();
            m_in.skip(4);
            m_in.skipVariant();
        }
        m_in.skipText();
        m_in.skip(4);
        m_in.skipText();
    }

    ByteReader m_in;
    ChatFile m_file;
    std::string m_model;
};

}  // namespace

bool isChatFile(std::string_view bytes) {
    return bytes.substr(0, 4) == std::string_view("\xF5\xD5\x53\xCC", 4);
}

Result<ChatFile> readChatFile(std::string_view bytes) {
    return ChatReader(bytes).read();
}

}  // namespace loader::importers::gpt4all
