// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The part of ChatStore that finds words.

#include <string>

#include "core/app/chats/chat_schema.h"
#include "core/app/chats/chat_store.h"

namespace loader::app {
namespace {

constexpr std::size_t kMostWords = 32;
constexpr std::size_t kMostWordBytes = 256;
constexpr std::size_t kMostTitles = 20;
/// Shorter beginnings occur in nearly every message; from here on the index has lists of its own.
constexpr std::size_t kLeastPrefixBytes = 2;
/// Tokens of a snippet.
constexpr int kSnippetWords = 24;
/// Noncharacters (U+FDD0, U+FDD1): they stand in no text that people write.
constexpr std::string_view kMarkBegin = "\xEF\xB7\x90";
constexpr std::string_view kMarkEnd = "\xEF\xB7\x91";

bool isSpace(char letter) {
    return static_cast<unsigned char>(letter) <= ' ';
}

/// Words as the full-text index wants them; every one in quotes, so that nothing in them is an operator.
/// Empty where there is nothing to look for.
std::string matchExpression(std::string_view words) {
    std::string expression;
    std::size_t count = 0;
    std::size_t at = 0;
    while (at < words.size() && count < kMostWords) {
        if (isSpace(words[at])) {
            ++at;
            continue;
        }
        const bool quoted = words[at] == '"';
        if (quoted) ++at;
        std::size_t end = at;
        while (end < words.size() && (quoted ? words[end] != '"' : !isSpace(words[end]) && words[end] != '"'))
            ++end;
        const std::string_view word = words.substr(at, std::min(end - at, kMostWordBytes));
        const bool last = end == words.size();
        at = end + (quoted && end < words.size() ? 1 : 0);
        if (word.empty()) continue;
        if (count++ > 0) expression += ' ';
        expression += '"' + std::string(word) + '"';
        if (last && !quoted && word.size() >= kLeastPrefixBytes) expression += '*';
    }
    return expression;
}

/// Takes the marks out of a text and tells where they were.
void readMarks(const std::string& marked, SearchHit& hit) {
    std::size_t at = 0;
    while (at < marked.size()) {
        const std::size_t begin = marked.find(kMarkBegin, at);
        hit.snippet.append(marked, at, begin == std::string::npos ? begin : begin - at);
        if (begin == std::string::npos) return;
        const std::size_t start = begin + kMarkBegin.size();
        const std::size_t end = std::min(marked.find(kMarkEnd, start), marked.size());
        hit.marks.push_back({hit.snippet.size(), end - start});
        hit.snippet.append(marked, start, end - start);
        at = std::min(end + kMarkEnd.size(), marked.size());
    }
}

std::string excerpt(std::string_view index, bool whole) {
    const std::string marks = "'" + std::string(kMarkBegin) + "', '" + std::string(kMarkEnd) + "'";
    if (whole) return "highlight(" + std::string(index) + ", 0, " + marks + ")";
    return "snippet(" + std::string(index) + ", 0, " + marks + ", '\xE2\x80\xA6', " +
           std::to_string(kSnippetWords) + ")";
}

}  // namespace

Result<SearchResult> ChatStore::search(std::string_view words, const SearchOptions& options) {
    SearchResult result;
    const std::string expression = matchExpression(storableText(words));
    if (expression.empty() || options.limit == 0) return result;
    if (!options.chat && !options.before) {
        LOADER_TRY(Statement * titles,
                   statement("SELECT c.id, c.title, " + excerpt("title_index", false) +
                             ", c.changed FROM title_index CROSS JOIN conversations c ON c.id = "
                             "title_index.rowid WHERE title_index MATCH ?1 AND c.deleted IS NULL ORDER BY "
                             "title_index.rowid DESC LIMIT ?2"));
        titles->bind(1, expression).bind(2, static_cast<std::int64_t>(std::min(options.limit, kMostTitles)));
        while (true) {
            LOADER_TRY(const bool more, titles->step());
            if (!more) break;
            SearchHit hit;
            hit.chat = titles->integer(0);
            hit.title = titles->text(1);
            readMarks(titles->text(2), hit);
            hit.time = titles->integer(3);
            result.hits.push_back(std::move(hit));
        }
        titles->reset();
    }
    // The index is the outer loop, newest first, so that it stops after the first page.
    LOADER_TRY(
        Statement * rows,
        statement("SELECT m.id, m.conversation, c.title, " + excerpt("message_index", options.wholeText) +
                  ", m.time FROM message_index CROSS JOIN messages m ON m.id = message_index.rowid "
                  "CROSS JOIN conversations c ON c.id = m.conversation WHERE message_index MATCH ?1 AND "
                  "message_index.rowid < ?2 AND m.deleted IS NULL AND c.deleted IS NULL AND (?3 IS NULL "
                  "OR m.conversation = ?3) ORDER BY message_index.rowid DESC LIMIT ?4"));
    rows->bind(1, expression).bind(2, options.before.value_or(INT64_MAX)).bind(3, options.chat);
    rows->bind(4, static_cast<std::int64_t>(options.limit + 1));
    for (std::size_t found = 0;; ++found) {
        LOADER_TRY(const bool more, rows->step());
        if (!more) break;
        if (found == options.limit) {
            result.more = true;
            break;
        }
        SearchHit hit;
        hit.message = rows->integer(0);
        hit.chat = rows->integer(1);
        hit.title = rows->text(2);
        readMarks(rows->text(3), hit);
        hit.time = rows->optionalInteger(4);
        result.hits.push_back(std::move(hit));
    }
    rows->reset();
    return result;
}

}  // namespace loader::app
