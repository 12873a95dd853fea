// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The steps that pretokenizers.inc names. A run step isolates runs of one class; a word step tries a fixed
// order of alternatives at each place. What no alternative matches stays together as a piece of its own.

#include "core/engine/text/pretokenizer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <limits>
#include <string_view>

#include "core/engine/text/character_sets.h"
#include "core/engine/text/unicode_class.h"

namespace loader::text {
namespace {

/// A stretch of symbols under a step. Looking beyond the end gives 0, which is in no class.
struct Stretch {
    const Symbol* begin = nullptr;
    std::size_t size = 0;
    Symbol operator[](std::size_t index) const { return index < size ? begin[index] : 0; }
    /// First index at or after from whose symbol fails the test.
    template <class Test>
    std::size_t runEnd(std::size_t from, Test test) const {
        while (from < size && test(begin[from]))
            ++from;
        return from;
    }
};

bool has(Symbol symbol, Symbol classes) {
    return (symbol & classes) != 0;
}
bool isCharacter(Symbol symbol, char32_t codePoint) {
    return codePointOf(symbol) == codePoint && (symbol & kInvalid) == 0;
}

// --- Steps that isolate runs ---

enum class Prefix : std::uint8_t { None, Space, AnySpace };

struct RunStep {
    bool (*inSet)(Symbol symbol);
    Prefix prefix = Prefix::None;
    std::size_t minimum = 1;
    std::size_t maximum = std::numeric_limits<std::size_t>::max();
};

std::size_t matchRun(const RunStep& step, const Stretch& text, std::size_t at) {
    std::size_t from = at;
    const bool prefixed = step.prefix == Prefix::AnySpace
                              ? has(text[at], kSpace)
                              : step.prefix == Prefix::Space && isCharacter(text[at], ' ');
    if (prefixed && at + 1 < text.size && step.inSet(text[at + 1])) ++from;
    std::size_t end = from;
    while (end < text.size && end - from < step.maximum && step.inSet(text[end]))
        ++end;
    return end - from >= step.minimum ? end - at : 0;
}

bool isNumber(Symbol symbol) {
    return has(symbol, kNumber);
}
bool isDigit(Symbol symbol) {
    return codePointOf(symbol) >= '0' && codePointOf(symbol) <= '9';
}
bool isNewline(Symbol symbol) {
    return has(symbol, kNewline);
}
bool isLineFeed(Symbol symbol) {
    return isCharacter(symbol, '\n');
}
bool isLetter(Symbol symbol) {
    return has(symbol, kLetter);
}
bool isPunctuation(Symbol symbol) {
    return has(symbol, kPunctuation);
}
bool isPunctuationOrMath(Symbol symbol) {
    return has(symbol, kPunctuation) ||
           (codePointOf(symbol) < 128 && codePointOf(symbol) != 0 &&
            std::string_view("$+<=>^~|").find(static_cast<char>(codePointOf(symbol))) !=
                std::string_view::npos);
}
bool isPunctuationMathOrBacktick(Symbol symbol) {
    return isPunctuationOrMath(symbol) || isCharacter(symbol, '`');
}
bool isCasedLetter(Symbol symbol) {
    return !has(symbol, kInvalid) && inCasedLetterSet(codePointOf(symbol));
}
bool isWidePunctuation(Symbol symbol) {
    return !has(symbol, kInvalid) && inWidePunctuationSet(codePointOf(symbol));
}
bool isIdeograph(Symbol symbol) {
    const char32_t c = codePointOf(symbol);
    return (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x0800 && c <= 0x4E00) || (c >= 0xAC00 && c <= 0xD7FF);
}
bool isKana(Symbol symbol) {
    const char32_t c = codePointOf(symbol);
    return (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x3040 && c <= 0x30FF);
}
bool isSpacedWordCharacter(Symbol symbol) {
    if (has(symbol, kSpace)) return false;
    if (has(symbol, kInvalid)) return true;
    constexpr std::u32string_view kExcluded = U"(|.,!?…。，、।۔،)";
    return kExcluded.find(codePointOf(symbol)) == std::u32string_view::npos;
}

constexpr RunStep kEachNumber{isNumber, Prefix::None, 1, 1};
constexpr RunStep kNumbersOfThree{isNumber, Prefix::None, 1, 3};
constexpr RunStep kNumberRuns{isNumber};
constexpr RunStep kDigitTriples{isDigit, Prefix::None, 3, 3};
constexpr RunStep kEachNewline{isNewline, Prefix::None, 1, 1};
constexpr RunStep kLineBreaks{isLineFeed};
constexpr RunStep kLetterRuns{isLetter, Prefix::AnySpace};
constexpr RunStep kSpacedPunctuationRuns{isPunctuation, Prefix::AnySpace};
constexpr RunStep kPunctuationRuns{isPunctuationOrMath};
constexpr RunStep kPunctuationRunsBacktick{isPunctuationMathOrBacktick};
constexpr RunStep kCasedLetterRuns{isCasedLetter, Prefix::AnySpace};
constexpr RunStep kWidePunctuationRuns{isWidePunctuation, Prefix::AnySpace};
constexpr RunStep kIdeographRuns{isIdeograph};
constexpr RunStep kKanaRuns{isKana};
constexpr RunStep kSpacedWords{isSpacedWordCharacter, Prefix::Space};

/// \s+$
struct TrailingSpaceStep {};
constexpr TrailingSpaceStep kTrailingSpace{};

// --- Steps that cut into words ---

enum class Contractions : std::uint8_t { None, LowerCase, AnyCase, Suffix };

struct WordStep {
    Contractions contractions = Contractions::None;
    Symbol letters = kLetter;
    /// Letters take one character in front that is neither letter, number nor line end; otherwise only a
    /// space.
    bool anyPrefix = true;
    /// Longest number; 0 takes all and a space in front.
    std::size_t numbers = 1;
    /// Line ends go with the punctuation before them, and so does a slash.
    bool takesNewlines = true;
    bool takesSlash = false;
    /// A run of white space up to its last line end is a piece.
    bool endsLines = true;
    /// Capitals come first in a word; the next capital begins a new one.
    bool cased = false;
    bool hanApart = false;
    /// Numbers are not set apart, and a sign in front of ASCII letters goes with them.
    bool symbolWords = false;
};

constexpr WordStep make(Contractions contractions, std::size_t numbers) {
    WordStep step;
    step.contractions = contractions;
    step.numbers = numbers;
    return step;
}
constexpr WordStep makeOldest() {
    WordStep step = make(Contractions::LowerCase, 0);
    step.anyPrefix = false;
    step.takesNewlines = false;
    step.endsLines = false;
    return step;
}
constexpr WordStep makeMarks() {
    WordStep step = make(Contractions::AnyCase, 1);
    step.letters = kLetter | kMark;
    return step;
}
constexpr WordStep makeTight() {
    WordStep step = make(Contractions::AnyCase, 1);
    step.takesNewlines = false;
    return step;
}
constexpr WordStep makeSymbolWords() {
    WordStep step = make(Contractions::None, 0);
    step.letters = kLetter | kMark;
    step.symbolWords = true;
    return step;
}
constexpr WordStep makeCased(Contractions contractions, std::size_t numbers, bool slash, bool hanApart) {
    WordStep step = make(contractions, numbers);
    step.cased = true;
    step.takesSlash = slash;
    step.hanApart = hanApart;
    return step;
}

constexpr std::size_t kAllNumbers = std::numeric_limits<std::size_t>::max();
constexpr WordStep kWords = makeOldest();
constexpr WordStep kPrefixedWords3 = make(Contractions::AnyCase, 3);
constexpr WordStep kPrefixedWords1 = make(Contractions::AnyCase, 1);
constexpr WordStep kPrefixedWordsPlain = make(Contractions::None, 1);
constexpr WordStep kPrefixedWordsNumbers = make(Contractions::AnyCase, kAllNumbers);
constexpr WordStep kPrefixedWordsMarks = makeMarks();
constexpr WordStep kPrefixedWordsTight = makeTight();
constexpr WordStep kSymbolWords = makeSymbolWords();
constexpr WordStep kCasedWords3 = makeCased(Contractions::Suffix, 3, true, false);
constexpr WordStep kCasedWords1 = makeCased(Contractions::None, 1, true, false);
constexpr WordStep kHanCasedWords3 = makeCased(Contractions::Suffix, 3, false, true);

/// 's 't 'm 'd 're 've 'll; length in symbols, or 0.
std::size_t matchContraction(const Stretch& text, std::size_t at, bool anyCase) {
    if (!isCharacter(text[at], '\'')) return 0;
    const auto letter = [&](std::size_t i) -> char32_t {
        const char32_t c = codePointOf(text[i]);
        return anyCase && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    };
    const char32_t first = letter(at + 1);
    const char32_t second = letter(at + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if ((first == 'r' || first == 'v') && second == 'e') return 3;
    return first == 'l' && second == 'l' ? 3 : 0;
}

bool isHanSymbol(Symbol symbol) {
    return !has(symbol, kInvalid) && isHan(codePointOf(symbol));
}

/// U*L+ or U+L* of the cased rules, where modifier and caseless letters and marks are in both U and L.
/// The greedy first part gives back symbols until the second part has one.
std::size_t matchCasedLetters(const WordStep& step, const Stretch& text, std::size_t at, bool needsLower) {
    const auto inWord = [&](Symbol symbol, Symbol classes) {
        return has(symbol, classes) && !(step.hanApart && isHanSymbol(symbol));
    };
    constexpr Symbol kBoth = kOtherLetter | kMark;
    const std::size_t upperEnd = text.runEnd(at, [&](Symbol s) { return inWord(s, kUpper | kBoth); });
    const std::size_t lowerEnd = text.runEnd(upperEnd, [&](Symbol s) { return inWord(s, kLower | kBoth); });
    if (lowerEnd > upperEnd) return needsLower || upperEnd > at ? lowerEnd - at : 0;
    if (!needsLower) return upperEnd - at;
    for (std::size_t end = upperEnd; end > at; --end) {
        if (has(text[end - 1], kBoth)) return end - at;
    }
    return 0;
}

std::size_t matchCasedWord(const WordStep& step, const Stretch& text, std::size_t at) {
    const bool canPrefix = at < text.size && !has(text[at], kLetter | kNumber | kNewline);
    for (const bool needsLower : {true, false}) {
        for (const std::size_t prefix : {std::size_t{1}, std::size_t{0}}) {
            if (prefix == 1 && !canPrefix) continue;
            const std::size_t letters = matchCasedLetters(step, text, at + prefix, needsLower);
            if (letters == 0) continue;
            const std::size_t end = at + prefix + letters;
            const bool suffix = step.contractions == Contractions::Suffix;
            return end - at + (suffix ? matchContraction(text, end, true) : 0);
        }
    }
    return 0;
}

bool isAsciiSign(Symbol symbol) {
    const char32_t c = codePointOf(symbol);
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}
bool isAsciiLetter(Symbol symbol) {
    const char32_t c = codePointOf(symbol);
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Letters with what may stand in front of them.
std::size_t matchWord(const WordStep& step, const Stretch& text, std::size_t at) {
    if (step.cased) return matchCasedWord(step, text, at);
    if (step.symbolWords && isAsciiSign(text[at]) && isAsciiLetter(text[at + 1])) {
        return text.runEnd(at + 1, isAsciiLetter) - at;
    }
    const auto inWord = [&](Symbol s) { return has(s, step.letters); };
    const Symbol noPrefix = kNewline | kLetter | (step.symbolWords ? kPunctuation | kSymbol : kNumber);
    const bool canPrefix = step.anyPrefix ? !has(text[at], noPrefix) : isCharacter(text[at], ' ');
    if (canPrefix && at + 1 < text.size && inWord(text[at + 1])) return text.runEnd(at + 1, inWord) - at;
    return text.runEnd(at, inWord) - at;
}

std::size_t matchNumbers(const WordStep& step, const Stretch& text, std::size_t at) {
    if (step.symbolWords) return 0;
    const bool prefixed = step.numbers == 0 && isCharacter(text[at], ' ') && isNumber(text[at + 1]);
    const std::size_t from = prefixed ? at + 1 : at;
    const std::size_t limit = step.numbers == 0 ? kAllNumbers : step.numbers;
    std::size_t end = from;
    while (end < text.size && end - from < limit && isNumber(text[end]))
        ++end;
    return end - at;
}

/// Everything that is neither space, letter nor number, with a space before and line ends after it.
std::size_t matchOthers(const WordStep& step, const Stretch& text, std::size_t at) {
    const auto isOther = [&](Symbol s) {
        return step.symbolWords ? has(s, kPunctuation | kSymbol) : !has(s, kSpace | kNumber | step.letters);
    };
    std::size_t from = at;
    if (isCharacter(text[at], ' ') && at + 1 < text.size && isOther(text[at + 1])) ++from;
    std::size_t end = text.runEnd(from, isOther);
    if (end == from) return 0;
    end = text.runEnd(end, [&](Symbol s) {
        return (step.takesNewlines && has(s, kNewline)) || (step.takesSlash && isCharacter(s, '/'));
    });
    return end - at;
}

/// White space: up to the last line end, else all but the last before a word, else all.
std::size_t matchSpace(const WordStep& step, const Stretch& text, std::size_t at) {
    const std::size_t end = text.runEnd(at, [](Symbol s) { return has(s, kSpace); });
    if (step.endsLines) {
        for (std::size_t i = end; i > at; --i) {
            if (isNewline(text[i - 1])) return i - at;
        }
    }
    const bool wordFollows = end < text.size;
    return wordFollows && end - at > 1 ? end - at - 1 : end - at;
}

std::size_t matchAlternatives(const WordStep& step, const Stretch& text, std::size_t at) {
    if (step.hanApart && isHanSymbol(text[at])) return text.runEnd(at, isHanSymbol) - at;
    if (step.contractions == Contractions::LowerCase || step.contractions == Contractions::AnyCase) {
        const std::size_t contraction =
            matchContraction(text, at, step.contractions == Contractions::AnyCase);
        if (contraction > 0) return contraction;
    }
    if (const std::size_t word = matchWord(step, text, at)) return word;
    if (const std::size_t numbers = matchNumbers(step, text, at)) return numbers;
    if (const std::size_t others = matchOthers(step, text, at)) return others;
    return matchSpace(step, text, at);
}

// --- Applying steps ---

using Lengths = std::vector<std::uint32_t>;

void put(Lengths& lengths, std::size_t length) {
    if (length > 0) lengths.push_back(static_cast<std::uint32_t>(length));
}

/// Isolates every match of match(at) and keeps what lies between matches together.
template <class Match>
void isolateMatches(const Stretch& text, Lengths& lengths, Match match) {
    std::size_t unmatched = 0;
    for (std::size_t at = 0; at < text.size;) {
        const std::size_t length = match(at);
        if (length == 0) {
            ++unmatched;
            ++at;
            continue;
        }
        put(lengths, unmatched);
        put(lengths, length);
        unmatched = 0;
        at += length;
    }
    put(lengths, unmatched);
}

void apply(const RunStep& step, const Stretch& text, Lengths& lengths) {
    isolateMatches(text, lengths, [&](std::size_t at) { return matchRun(step, text, at); });
}
void apply(const WordStep& step, const Stretch& text, Lengths& lengths) {
    isolateMatches(text, lengths, [&](std::size_t at) { return matchAlternatives(step, text, at); });
}
void apply(const TrailingSpaceStep& step, const Stretch& text, Lengths& lengths) {
    static_cast<void>(step);
    std::size_t start = text.size;
    while (start > 0 && has(text[start - 1], kSpace))
        --start;
    put(lengths, start);
    put(lengths, text.size - start);
}

/// Applies one step inside each piece of the step before.
template <class Step>
void refine(const Step& step, const std::vector<Symbol>& symbols, Lengths& lengths) {
    Lengths finer;
    finer.reserve(lengths.size() + lengths.size() / 4);
    std::size_t start = 0;
    for (const std::uint32_t length : lengths) {
        apply(step, Stretch{symbols.data() + start, length}, finer);
        start += length;
    }
    lengths.swap(finer);
}

template <class... Steps>
void refineAll(const std::vector<Symbol>& symbols, Lengths& lengths, const Steps&... steps) {
    (refine(steps, symbols, lengths), ...);
}

struct NamedPreTokenizer {
    std::string_view name;
    PreTokenizer preTokenizer;
};

constexpr NamedPreTokenizer kPreTokenizers[] = {
#define LOADER_PRETOKENIZER(name, rules, ...) {name, {RuleSet::rules, __VA_ARGS__}},
#include "core/engine/text/pretokenizers.inc"
};

}  // namespace

std::optional<PreTokenizer> findPreTokenizer(std::string_view name) {
    const auto found = std::find_if(std::begin(kPreTokenizers), std::end(kPreTokenizers),
                                    [&](const NamedPreTokenizer& row) { return row.name == name; });
    if (found == std::end(kPreTokenizers)) return std::nullopt;
    return found->preTokenizer;
}

std::vector<RuleSet> allRuleSets() {
    return {
#define LOADER_RULE_SET(id, ...) RuleSet::id,
#include "core/engine/text/pretokenizers.inc"
    };
}

void splitPieces(RuleSet rules, std::string_view text, std::vector<std::uint32_t>& lengths) {
    if (text.empty()) return;
    std::vector<Symbol> symbols;
    classify(text, symbols);
    Lengths pieces{static_cast<std::uint32_t>(symbols.size())};
    switch (rules) {
#define LOADER_RULE_SET(id, ...)                 \
    case RuleSet::id:                            \
        refineAll(symbols, pieces, __VA_ARGS__); \
        break;
#include "core/engine/text/pretokenizers.inc"
    }
    lengths.reserve(lengths.size() + pieces.size());
    std::size_t at = 0;
    for (const std::uint32_t piece : pieces) {
        std::uint32_t bytes = 0;
        for (const std::size_t end = at + piece; at < end; ++at)
            bytes += byteLength(symbols[at]);
        lengths.push_back(bytes);
    }
}

}  // namespace loader::text
