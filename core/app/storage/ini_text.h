// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Files of QSettings in its INI form, read without Qt and with limits. What Qt would unpack as a serialised
// object (@Variant, @DateTime) is never unpacked: it is named and left out. A line that is wrong costs only
// itself: unlike Qt, no quotation mark and no backslash reaches into the next line, and Qt writes none that
// does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/storage/json_text.h"

namespace loader::app {

struct IniEntry {
    /// Empty for [General] and for what stands in front of any section.
    std::string section;
    /// With / where the file has a backslash.
    std::string key;
    /// One text, or the texts of a list; escapes are resolved, @ forms are not.
    std::vector<std::string> values;
    bool isList = false;
    /// From 1.
    std::size_t line = 0;
    /// The same key stands again further down, and that one counts.
    bool superseded = false;

    /// "file_dialog/recent_files", as QSettings names it.
    std::string path() const;
};

/// A line that is neither a key with a value, nor a section, nor a comment.
struct IniFault {
    std::size_t line = 0;
    /// The line, shortened.
    std::string text;
    /// "there is no = in it"
    std::string what;
};

struct IniText {
    /// In the order of the file.
    std::vector<IniEntry> entries;
    std::vector<IniFault> faults;
};

/// @errors C501 more entries and faults than the limit
Result<IniText> parseIni(std::string_view text, std::size_t most = 1'000'000);
/// A file in any encoding of decodedText(). @errors as readSmallFile(), decodedText() and parseIni(); the
/// place names the file
Result<IniText> readIniFile(const std::string& path);

struct IniValue {
    enum class Kind : std::uint8_t {
        /// value is a text. Numbers and booleans are texts in this form: "12", "true".
        Text,
        /// value is a list of texts.
        List,
        /// @Point(x y), @Size(width height), @Rect(x y width height): value is the list of numbers.
        Numbers,
        /// @Invalid(), which is also how an empty list is written: value is null.
        Nothing,
        /// A serialised object, or bytes that are no text: value is null.
        Opaque,
    };
    Kind kind = Kind::Text;
    Json value;
    /// "Point", "Variant" …; empty for plain texts and lists.
    std::string form;
};
/// What the entry says.
IniValue valueOf(const IniEntry& entry);
/// What one text of a value says: the same rules for values of the registry, which Qt writes alike.
IniValue iniValueOf(const std::string& text);

}  // namespace loader::app
