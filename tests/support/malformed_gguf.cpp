// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One function per section of the plan (docs/formats/gguf.md). A patch "offset := value" is of the valid
// file.

#include "tests/support/malformed_gguf.h"

#include <algorithm>
#include <utility>

#include "tests/support/raw_gguf.h"

namespace loader::test {
namespace {

constexpr std::uint64_t power(unsigned exponent) {
    return std::uint64_t(1) << exponent;
}
constexpr std::uint64_t kAll64 = ~std::uint64_t(0);

using Bytes = std::vector<std::byte>;
using Maker = std::function<Bytes()>;

struct Expected {
    std::optional<Errc> error;
    std::optional<Errc> warning;
    Judge judge = Judge::Container;
    std::optional<Errc> later;
};
Expected fails(Errc code) {
    return {code, {}, Judge::Container, {}};
}
Expected good() {
    return {};
}
Expected warns(Errc code) {
    return {{}, code, Judge::Container, {}};
}
Expected judgedBy(Judge judge, Errc code) {
    return {{}, {}, judge, code};
}

class Suite {
public:
    void add(int number, std::string description, Expected expected, Maker maker, std::uint64_t size = 0) {
        MalformedCase one;
        one.number = number;
        one.description = std::move(description);
        one.error = expected.error;
        one.warning = expected.warning;
        one.judge = expected.judge;
        one.later = expected.later;
        one.build = [maker = std::move(maker), size] {
            HoledFile file;
            file.bytes = maker();
            file.size = std::max<std::uint64_t>(size, file.bytes.size());
            return file;
        };
        m_cases.push_back(std::move(one));
    }
    /// The valid file with one number written over.
    void patch(int number, std::size_t offset, std::uint64_t value, std::size_t width, Expected expected) {
        add(number, std::to_string(offset) + " := " + std::to_string(value), expected, [=] {
            Bytes bytes = validFile();
            for (std::size_t i = 0; i < width; ++i)
                bytes[offset + i] = static_cast<std::byte>((value >> (8 * i)) & 0xFF);
            return bytes;
        });
    }
    void patch(int number, std::size_t offset, std::string_view text, Expected expected) {
        add(number, std::to_string(offset) + " := text", expected, [offset, text = std::string(text)] {
            Bytes bytes = validFile();
            std::ranges::transform(text, bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                                   [](char c) { return static_cast<std::byte>(c); });
            return bytes;
        });
    }
    void cut(int number, std::size_t bytes, Expected expected) {
        add(number, "cut to " + std::to_string(bytes) + " bytes", expected, [bytes] {
            Bytes all = validFile();
            all.resize(bytes);
            return all;
        });
    }
    void text(int number, std::string content, Expected expected) {
        add(number, "another kind of file", expected,
            [content = std::move(content)] { return RawBytes(content).bytes(); });
    }
    void file(int number, std::string description, Expected expected, const RawFile& raw) {
        add(number, std::move(description), expected, [raw] { return raw.bytes(); });
    }
    /// The valid file with these entries added.
    void entry(int number, std::string description, Expected expected, const RawBytes& added) {
        file(number, std::move(description), expected, RawFile::valid().entry(added));
    }
    std::vector<MalformedCase> take() { return std::move(m_cases); }

private:
    std::vector<MalformedCase> m_cases;
};

using namespace std::string_literals;

void addHeader(Suite& suite) {
    suite.text(1, "", fails(Errc::GG001));
    suite.text(2, "G", fails(Errc::GG001));
    suite.text(3, "GGUF", fails(Errc::GG001));
    suite.cut(4, 7, fails(Errc::GG001));
    suite.cut(5, 15, fails(Errc::GG001));
    suite.cut(6, 23, fails(Errc::GG001));
    suite.patch(7, 0, "FUGG", fails(Errc::GG002));
    suite.patch(8, 0, 0, 4, fails(Errc::GG002));
    suite.patch(9, 0, "gguf", fails(Errc::GG002));
    suite.patch(10, 0, "lmgg", fails(Errc::GG003));
    suite.patch(11, 0, "tjgg", fails(Errc::GG003));
    suite.patch(12, 0, "fmgg", fails(Errc::GG003));
    suite.text(13, "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 668\n",
               fails(Errc::GG003));
    suite.text(14, "<!DOCTYPE html><html><head><title>404</title></head></html>", fails(Errc::GG003));
    suite.text(15, "{\"error\":\"...\"}", fails(Errc::GG003));
    suite.patch(16, 0, "PK\x03\x04", fails(Errc::GG003));
    suite.patch(17, 0, "\x80\x02", fails(Errc::GG003));
    suite.text(18, "\x14\0\0\0\0\0\0\0{\"__metadata__\":{}}  "s, fails(Errc::GG003));
    suite.add(19, "byte order mark in front", fails(Errc::GG002), [] {
        Bytes bytes = RawBytes("\xef\xbb\xbf").bytes();
        const Bytes rest = validFile();
        bytes.insert(bytes.end(), rest.begin(), rest.end());
        return bytes;
    });
    suite.text(20, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"s, fails(Errc::GG003));
    suite.patch(21, 4, 0, 4, fails(Errc::GG004));
    // Version 1 is read here. With its 32-bit counts the rest of the file says: no entries, a tensor named by
    // zero bytes.
    suite.patch(22, 4, 1, 4, fails(Errc::GG018));
    suite.patch(23, 4, 2, 4, good());
    suite.patch(24, 4, 4, 4, fails(Errc::GG007));
    suite.patch(25, 4, 0x103, 4, fails(Errc::GG007));
    // Big-endian files are read here. In that order this one claims 2^56 tensors.
    suite.patch(26, 4, "\0\0\0\x03"s, fails(Errc::GG008));
    suite.patch(27, 4, "\0\0\0\x02"s, fails(Errc::GG008));
    suite.patch(28, 4, 0xFFFFFFFF, 4, fails(Errc::GG007));
    // Version 256 in the other byte order.
    suite.patch(29, 4, 0x00010000, 4, fails(Errc::GG007));
}

void addCounts(Suite& suite) {
    int number = 30;
    const std::uint64_t counts[] = {kAll64,    power(63),     power(63) - 1, power(62),
                                    power(32), power(31) - 1, 100'001};
    for (const std::uint64_t count : counts)
        suite.patch(number++, 8, count, 8, fails(Errc::GG008));
    for (const std::uint64_t count : counts)
        suite.patch(number++, 16, count, 8, fails(Errc::GG009));
    // The second tensor is read from the padding: a name of no bytes. The file does not end there.
    suite.patch(44, 8, 2, 8, fails(Errc::GG041));
    suite.add(45, "8 := 0 tensors", {{}, Errc::GG060, Judge::Architecture, Errc::M101}, [] {
        Bytes bytes = validFile();
        bytes[8] = std::byte{0};
        return bytes;
    });
    // The tensor reads as an entry: its two dimensions are the type u16. The table then starts inside it.
    suite.patch(46, 16, 4, 8, fails(Errc::GG040));
    suite.patch(47, 16, 2, 8, fails(Errc::GG044));
    suite.patch(48, 16, 0, 8, fails(Errc::GG044));
    suite.file(49, "no entries, no tensors", judgedBy(Judge::Architecture, Errc::M101), RawFile());
    suite.patch(50, 8, 65'535, 8, fails(Errc::GG008));
    suite.patch(51, 16, 50'000, 8, fails(Errc::GG009));
}

void addKeys(Suite& suite) {
    suite.patch(52, 24, kAll64, 8, fails(Errc::GG011));
    suite.patch(53, 24, power(63), 8, fails(Errc::GG011));
    suite.patch(54, 24, kAll64 - 7, 8, fails(Errc::GG011));
    suite.patch(55, 24, power(40), 8, fails(Errc::GG011));
    suite.patch(56, 24, 65'536, 8, fails(Errc::GG011));
    suite.patch(57, 24, 448, 8, fails(Errc::GG010));
    suite.patch(58, 24, 449, 8, fails(Errc::GG011));
    suite.patch(59, 24, 0, 8, fails(Errc::GG012));
    suite.patch(60, 24, 19, 8, fails(Errc::GG015));
    suite.patch(61, 24, 21, 8, fails(Errc::GG015));
    suite.entry(62, "same key, same value", fails(Errc::GG014), RawFile::valid().entries[2]);
    suite.entry(63, "alignment 32, then 64", fails(Errc::GG014),
                rawEntry("general.alignment", kRawU32, RawBytes().u32(64)));
    suite.entry(64, "keys that differ only in case", warns(Errc::GG013),
                rawText("General.Architecture", "other"));
    suite.patch(65, 32, 0, 1, fails(Errc::GG018));
    suite.patch(66, 32, 0xFF, 1, fails(Errc::GG017));
    suite.patch(67, 32, '\n', 1, fails(Errc::GG013));
    suite.entry(68, "longest key", good(), rawText(std::string(65'535, 'k'), "v"));
    suite.entry(69, "key one byte too long", fails(Errc::GG011), rawText(std::string(65'536, 'k'), "v"));
    suite.add(70, "20 000 keys", good(), [] {
        RawFile file = RawFile::valid();
        for (int i = 0; i < 20'000; ++i)
            file.entry(rawEntry("key." + std::to_string(i), kRawU8, RawBytes().u8(1)));
        return file.bytes();
    });
    RawFile spaced = RawFile::valid();
    spaced.entries[0] = rawText("general.architecture ", "llama");
    suite.file(71, "key with a space at its end", judgedBy(Judge::Architecture, Errc::M101), spaced);
}

RawFile withArchitecture(std::string_view architecture) {
    RawFile file = RawFile::valid();
    file.entries[0] = rawText("general.architecture", architecture);
    return file;
}

/// Only entries, cut off before the end.
Bytes cutEntries(const RawBytes& last, std::size_t missing) {
    RawFile file;
    file.entries = {rawText("general.architecture", "llama"), last};
    Bytes bytes = file.bytes();
    bytes.resize(bytes.size() - missing);
    return bytes;
}

void addValues(Suite& suite) {
    int number = 72;
    for (const std::uint64_t type :
         {std::uint64_t(13), std::uint64_t(255), power(31) - 1, power(31), power(32) - 1}) {
        suite.patch(number++, 52, type, 4, fails(Errc::GG015));
    }
    for (const std::uint64_t length :
         {kAll64, kAll64 - 15, power(63), power(31), power(30) + 1, std::uint64_t(417)}) {
        suite.patch(number++, 56, length, 8, fails(Errc::GG016));
    }
    suite.patch(83, 56, 416, 8, fails(Errc::GG010));
    suite.file(84, "empty architecture", judgedBy(Judge::Architecture, Errc::M101), withArchitecture(""));
    suite.file(85, "architecture with capitals", judgedBy(Judge::Architecture, Errc::M101),
               withArchitecture("LLaMA"));
    suite.patch(86, 64, 0xFF, 1, fails(Errc::GG017));
    suite.patch(87, 64, 0, 1, fails(Errc::GG018));
    suite.entry(88, "overlong UTF-8", fails(Errc::GG017), rawText("test.text", "\xc0\x80"));
    suite.entry(89, "surrogate in UTF-8", fails(Errc::GG017), rawText("test.text", "\xed\xa0\x80"));
    suite.entry(90, "bool 2", fails(Errc::GG019), rawEntry("test.bool", kRawBool, RawBytes().u8(2)));
    suite.entry(91, "bool 255", fails(Errc::GG019), rawEntry("test.bool", kRawBool, RawBytes().u8(255)));
    suite.entry(92, "NaN rope base", judgedBy(Judge::Architecture, Errc::M120),
                rawEntry("llama.rope.freq_base", kRawF32, RawBytes().u32(0x7FC00000)));
    suite.entry(93, "infinite epsilon", judgedBy(Judge::Architecture, Errc::M120),
                rawEntry("llama.attention.layer_norm_rms_epsilon", kRawF32, RawBytes().u32(0x7F800000)));
    suite.entry(94, "signalling NaN", judgedBy(Judge::WhenUsed, Errc::GG023),
                rawEntry("test.double", kRawF64, RawBytes().u64(0x7FF0000000000001)));
    suite.add(95, "cut inside a u64", fails(Errc::GG010),
              [] { return cutEntries(rawEntry("test.number", kRawU64, RawBytes().u64(7)), 4); });
    suite.add(96, "cut after a value type", fails(Errc::GG010),
              [] { return cutEntries(rawEntry("test.number", kRawU64, RawBytes().u64(7)), 8); });
}

Bytes nestedArrays(std::size_t depth) {
    RawBytes value;
    for (std::size_t i = 0; i < depth; ++i)
        value.u32(kRawArray).u64(1);
    value.u32(kRawU8).u64(1).u8(7);
    return RawFile::valid().entry(rawEntry("test.nested", kRawArray, value)).bytes();
}

RawBytes zeroBytes(std::size_t count) {
    return RawBytes().zeros(count);
}

void addArrays(Suite& suite) {
    int number = 97;
    for (const std::uint64_t count :
         {kAll64, power(63), power(62), power(62) + 1, power(61), power(30), std::uint64_t(87)}) {
        suite.patch(number++, 128, count, 8, fails(Errc::GG021));
    }
    suite.patch(104, 128, 86, 8, fails(Errc::GG010));
    suite.patch(105, 124, 9, 4, fails(Errc::GG022));
    suite.patch(106, 124, 13, 4, fails(Errc::GG020));
    suite.patch(107, 124, 0xFFFFFFFF, 4, fails(Errc::GG020));
    suite.add(108, "arrays nested three deep", fails(Errc::GG022), [] { return nestedArrays(2); });
    suite.add(109, "arrays nested 10 000 deep", fails(Errc::GG022), [] { return nestedArrays(10'000); });
    suite.entry(110, "2^61 texts", fails(Errc::GG021),
                rawArray("test.texts", kRawText, power(61), RawBytes().text("a")));
    suite.add(111, "three texts, two present", fails(Errc::GG010), [] {
        return cutEntries(rawArray("test.texts", kRawText, 3, RawBytes().text("eight by").text("eight by")),
                          0);
    });
    suite.entry(112, "text of 2^64 - 1 bytes in an array", fails(Errc::GG016),
                rawArray("test.texts", kRawText, 1, RawBytes().u64(kAll64)));
    suite.entry(113, "text of 2^31 bytes in an array", fails(Errc::GG016),
                rawArray("test.texts", kRawText, 1, RawBytes().u64(power(31))));
    suite.entry(114, "bools 0, 1, 2", fails(Errc::GG019),
                rawArray("test.bools", kRawBool, 3, RawBytes().u8(0).u8(1).u8(2)));
    suite.entry(115, "empty array", good(), rawArray("test.empty", kRawI32, 0, RawBytes()));
    suite.add(116, "1 000 000 empty texts", good(), [] {
        return RawFile::valid()
            .entry(rawArray("test.texts", kRawText, 1'000'000, zeroBytes(8'000'000)))
            .bytes();
    });
    suite.entry(117, "NaN among scores", judgedBy(Judge::Vocabulary, Errc::T205),
                rawArray("tokenizer.ggml.scores", kRawF32, 2, RawBytes().u32(0x7FC00000).u32(0)));
}

RawFile withAlignment(std::uint32_t type, const RawBytes& value, std::size_t actual = 32) {
    RawFile file = RawFile::valid();
    file.entries[1] = rawEntry("general.alignment", type, value);
    file.alignment = actual;
    return file;
}

void addAlignments(Suite& suite) {
    int number = 118;
    for (const std::uint64_t alignment :
         {std::uint64_t(0), std::uint64_t(1), std::uint64_t(3), std::uint64_t(13), std::uint64_t(31),
          std::uint64_t(33), std::uint64_t(4), power(17), power(20), power(30), power(31), power(32) - 1}) {
        suite.patch(number++, 98, alignment, 4, fails(Errc::GG031));
    }
    suite.patch(130, 94, kRawI32, 4, fails(Errc::GG030));
    suite.file(131, "alignment as u64", fails(Errc::GG030), withAlignment(kRawU64, RawBytes().u64(32)));
    suite.file(132, "alignment as text", fails(Errc::GG030), withAlignment(kRawText, RawBytes().text("32")));
    suite.file(133, "alignment as array", fails(Errc::GG030),
               withAlignment(kRawArray, RawBytes().u32(kRawU32).u64(1).u32(32)));
    suite.file(134, "alignment as f32", fails(Errc::GG030),
               withAlignment(kRawF32, RawBytes().u32(0x42000000)));
    suite.file(135, "alignment as u8", fails(Errc::GG030), withAlignment(kRawU8, RawBytes().u8(32)));
    suite.file(136, "alignment as bool", fails(Errc::GG030), withAlignment(kRawBool, RawBytes().u8(1)));
    suite.patch(137, 98, 64, 4, fails(Errc::GG055));
    suite.file(138, "alignment 8", good(), withAlignment(kRawU32, RawBytes().u32(8), 8));
    suite.file(139, "alignment 65 536", good(), withAlignment(kRawU32, RawBytes().u32(65'536), 65'536));
}

RawFile withNames(std::initializer_list<std::string> names) {
    RawFile file = RawFile::valid();
    file.tensors.clear();
    for (const std::string& name : names)
        file.tensors.push_back({name, {32}, 0, 128 * file.tensors.size()});
    file.dataBytes = 128 * file.tensors.size();
    return file;
}

void addNames(Suite& suite) {
    int number = 140;
    for (const std::uint64_t length : {kAll64, power(63), power(32), std::uint64_t(65), std::uint64_t(321)}) {
        suite.patch(number++, 152, length, 8, fails(Errc::GG040));
    }
    suite.patch(145, 152, 0, 8, fails(Errc::GG041));
    suite.file(146, "name of 64 bytes", good(), withNames({std::string(64, 'n')}));
    suite.file(147, "name of 65 bytes", fails(Errc::GG040), withNames({std::string(65, 'n')}));
    suite.file(148, "same name twice", fails(Errc::GG042), withNames({"t", "t"}));
    suite.file(149, "zero byte in a name", fails(Errc::GG018), withNames({"t\0a"s, "t\0b"s}));
    suite.file(150, "path in a name", fails(Errc::GG043), withNames({"../../x"}));
    suite.file(151, "name not UTF-8", fails(Errc::GG017), withNames({"\xff\xfe"}));
    suite.file(152, "format string in a name", fails(Errc::GG043), withNames({"%n%s"}));
    suite.file(153, "terminal escape in a name", fails(Errc::GG043), withNames({"\x1b[2J"}));
}

struct ShapeRow {
    int number;
    std::uint32_t type;
    std::vector<std::uint64_t> dims;
    Errc code;
};

RawFile withTensor(std::uint32_t type, std::vector<std::uint64_t> dims, std::size_t dataBytes = 256) {
    RawFile file = RawFile::valid();
    file.tensors = {{"token_embd.weight", std::move(dims), type, 0}};
    file.dataBytes = dataBytes;
    return file;
}

/// Tensors of I8 with these sizes, each where the one before would end if nothing wrapped.
RawFile withSizes(const std::vector<std::uint64_t>& sizes) {
    RawFile file = RawFile::valid();
    file.tensors.clear();
    std::uint64_t offset = 0;
    for (const std::uint64_t size : sizes) {
        file.tensors.push_back({"t" + std::to_string(file.tensors.size()), {size}, 24, offset});
        offset += size;
    }
    return file;
}

void addShapes(Suite& suite) {
    int number = 154;
    for (const std::uint64_t rank : {std::uint64_t(5), std::uint64_t(8), std::uint64_t(255), power(31) - 1,
                                     power(31), power(32) - 1, std::uint64_t(0)}) {
        suite.patch(number++, 177, rank, 4,
                    fails(Errc::GG044));  // 160: a tensor without dimensions is refused
    }
    constexpr std::uint32_t kF32 = 0, kQ4 = 2, kI8 = 24, kI32 = 26, kI64 = 27;
    const ShapeRow rows[] = {
        {161, kF32, {0, 2, 1, 1}, Errc::GG045},
        {162, kF32, {32, 0, 1, 1}, Errc::GG045},
        {163, kF32, {32, 2, 0, 1}, Errc::GG045},
        {164, kF32, {32, 2, 1, 0}, Errc::GG045},
        {165, kF32, {power(63), 2}, Errc::GG046},
        {166, kF32, {kAll64, 2}, Errc::GG046},
        {167, kF32, {power(63) - 1, 2}, Errc::GG046},
        {168, kF32, {32, power(63)}, Errc::GG046},
        {169, kF32, {power(32), power(32)}, Errc::GG047},
        {170, kF32, {power(22), power(21), power(21)}, Errc::GG047},
        {171, kF32, {power(16), power(16), power(16), power(16)}, Errc::GG047},
        {172, kI8, {power(32), power(31)}, Errc::GG047},
        {173, kI8, {power(33), power(31)}, Errc::GG047},
        {174, kF32, {3 * power(31), power(33)}, Errc::GG047},
        {175, kQ4, {power(32), power(32)}, Errc::GG047},
        {176, kF32, {power(32) + 32, power(32)}, Errc::GG047},
        {177, kF32, {6'074'001'000, 6'074'001'000}, Errc::GG047},
        {178, kF32, {power(62)}, Errc::GG051},
        {179, kF32, {power(62) - 1}, Errc::GG051},
        {180, kF32, {power(62) - 8}, Errc::GG051},
        {181, kI64, {power(61)}, Errc::GG051},
        {182, kI32, {power(60), 2}, Errc::GG051},
        {183, kI8, {power(63) - 64}, Errc::GG055},
        {184, kF32, {power(60)}, Errc::GG055},
        {185, kF32, {power(38)}, Errc::GG055},
    };
    for (const ShapeRow& row : rows)
        suite.file(row.number, "shape", fails(row.code), withTensor(row.type, row.dims));
    suite.file(186, "sum of two sizes wraps", fails(Errc::GG055),
               withSizes({power(63) - 64, power(63) - 64}));
    suite.file(187, "sum of three sizes wraps", fails(Errc::GG055),
               withSizes({power(62), power(62), power(62)}));
    suite.cut(188, 192, fails(Errc::GG010));
    suite.cut(189, 204, fails(Errc::GG010));
}

void addTypes(Suite& suite) {
    int number = 190;
    for (const std::uint32_t type : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u}) {
        suite.patch(number++, 197, type, 4, fails(Errc::GG049));
    }
    for (const std::uint64_t type : {std::uint64_t(200), power(31) - 1, power(31), power(32) - 1}) {
        suite.patch(number++, 197, type, 4, fails(Errc::GG048));
    }
    constexpr std::uint32_t kQ4 = 2, kQ81 = 9, kQ4K = 12, kQ6K = 14, kI32 = 26, kF64 = 28;
    suite.file(202, "Q4_0 rows of 33", fails(Errc::GG050), withTensor(kQ4, {33, 2}));
    suite.file(203, "Q4_K rows of 32", fails(Errc::GG050), withTensor(kQ4K, {32, 2}));
    suite.file(204, "Q6_K rows of 255", fails(Errc::GG050), withTensor(kQ6K, {255, 2}));
    suite.file(205, "Q8_1 weight", judgedBy(Judge::Architecture, Errc::M130), withTensor(kQ81, {32, 2}, 96));
    suite.file(206, "F64 weight", judgedBy(Judge::Architecture, Errc::M130), withTensor(kF64, {32, 2}, 512));
    suite.file(207, "I32 weight", judgedBy(Judge::Architecture, Errc::M130), withTensor(kI32, {32, 2}));
}

RawFile withOffsets(std::uint64_t first, std::uint64_t second, std::size_t dataBytes) {
    RawFile file = withNames({"a", "b"});
    file.tensors[0].offset = first;
    file.tensors[1].offset = second;
    file.dataBytes = dataBytes;
    return file;
}

Bytes validAnd(const Bytes& more) {
    Bytes bytes = validFile();
    bytes.insert(bytes.end(), more.begin(), more.end());
    return bytes;
}

void addOffsets(Suite& suite) {
    suite.patch(208, 201, 1, 8, fails(Errc::GG052));
    suite.patch(209, 201, 31, 8, fails(Errc::GG052));
    suite.patch(210, 201, 32, 8, fails(Errc::GG053));
    suite.patch(211, 201, 256, 8, fails(Errc::GG055));
    suite.patch(212, 201, power(32), 8, fails(Errc::GG055));
    suite.patch(213, 201, power(63), 8, fails(Errc::GG055));
    suite.patch(214, 201, kAll64 - 31, 8, fails(Errc::GG055));
    suite.patch(215, 201, kAll64, 8, fails(Errc::GG052));
    suite.file(216, "same offset twice", fails(Errc::GG054), withOffsets(0, 0, 256));
    suite.file(217, "second inside the first", fails(Errc::GG054), withOffsets(0, 32, 256));
    // The order of tensors is free: nothing depends on it, and the format does not ask for it.
    suite.file(218, "descending offsets", good(), withOffsets(128, 0, 256));
    // A gap is refused, as the reference reader does.
    suite.file(219, "gap between tensors", fails(Errc::GG053), withOffsets(0, 160, 288));
    suite.cut(220, 479, fails(Errc::GG055));
    suite.cut(221, 224, fails(Errc::GG055));
    suite.cut(222, 215, fails(Errc::GG055));
    suite.cut(223, 352, fails(Errc::GG055));
    suite.add(224, "4 GiB of zeros behind", warns(Errc::GG060), validFile, 480 + power(32));
    suite.add(225, "32 bytes of garbage behind", warns(Errc::GG060),
              [] { return validAnd(Bytes(32, std::byte{0x5A})); });
    suite.patch(226, 209, std::string(15, '\xff'), warns(Errc::GG061));
    // The tensor needs all of the terabyte; the head takes some of it.
    suite.add(
        227, "1 TiB of holes", fails(Errc::GG055), [] { return withTensor(0, {power(38)}).bytes(); },
        power(40));
    suite.add(228, "two files in one", warns(Errc::GG060), [] { return validAnd(validFile()); });
    suite.file(229, "no data at all", fails(Errc::GG055), withTensor(0, {1}, 0));
}

}  // namespace

Status HoledSource::read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > m_file.size || out.size() > m_file.size - offset)
        return Error(Errc::F805, {"the end was reached"});
    std::ranges::fill(out, std::byte{0});
    if (offset >= m_file.bytes.size()) return {};
    const auto from = std::span(m_file.bytes).subspan(static_cast<std::size_t>(offset));
    std::copy_n(from.begin(), std::min(from.size(), out.size()), out.begin());
    return {};
}

std::vector<std::byte> validFile() {
    return RawFile::valid().bytes();
}

const std::vector<MalformedCase>& malformedCases() {
    static const std::vector<MalformedCase> cases = [] {
        Suite suite;
        addHeader(suite);
        addCounts(suite);
        addKeys(suite);
        addValues(suite);
        addArrays(suite);
        addAlignments(suite);
        addNames(suite);
        addShapes(suite);
        addTypes(suite);
        addOffsets(suite);
        return suite.take();
    }();
    return cases;
}

}  // namespace loader::test
