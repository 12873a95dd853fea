// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Puts GGUF bytes together without any check and without the writer of the engine, which would refuse broken
// files.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loader::test {

/// Little-endian bytes, appended one after the other.
class RawBytes {
public:
    RawBytes() = default;
    RawBytes(std::string_view text) { raw(text); }
    RawBytes& raw(std::string_view text) {
        for (const char c : text)
            m_bytes.push_back(static_cast<std::byte>(c));
        return *this;
    }
    RawBytes& add(const RawBytes& other) {
        m_bytes.insert(m_bytes.end(), other.m_bytes.begin(), other.m_bytes.end());
        return *this;
    }
    RawBytes& number(std::uint64_t value, std::size_t width) {
        for (std::size_t i = 0; i < width; ++i)
            m_bytes.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xFF));
        return *this;
    }
    RawBytes& u8(std::uint64_t value) { return number(value, 1); }
    RawBytes& u32(std::uint64_t value) { return number(value, 4); }
    RawBytes& u64(std::uint64_t value) { return number(value, 8); }
    RawBytes& text(std::string_view value) { return u64(value.size()).raw(value); }
    RawBytes& zeros(std::size_t count) {
        m_bytes.resize(m_bytes.size() + count);
        return *this;
    }
    std::size_t size() const { return m_bytes.size(); }
    std::vector<std::byte>& bytes() { return m_bytes; }

private:
    std::vector<std::byte> m_bytes;
};

inline constexpr std::uint32_t kRawU8 = 0, kRawU32 = 4, kRawI32 = 5, kRawF32 = 6, kRawBool = 7, kRawText = 8,
                               kRawArray = 9, kRawU64 = 10, kRawF64 = 12;

/// An entry: key, type, then the bytes of the value.
inline RawBytes rawEntry(std::string_view key, std::uint32_t type, const RawBytes& value) {
    return RawBytes().text(key).u32(type).add(value);
}
inline RawBytes rawText(std::string_view key, std::string_view value) {
    return rawEntry(key, kRawText, RawBytes().text(value));
}
inline RawBytes rawArray(std::string_view key, std::uint32_t type, std::uint64_t count,
                         const RawBytes& elements) {
    return rawEntry(key, kRawArray, RawBytes().u32(type).u64(count).add(elements));
}

struct RawTensor {
    std::string name = "token_embd.weight";
    std::vector<std::uint64_t> dims = {32, 2};
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
};

struct RawFile {
    std::vector<RawBytes> entries;
    std::vector<RawTensor> tensors;
    std::size_t alignment = 32;
    std::size_t dataBytes = 256;

    /// Architecture, alignment and a small array, then one tensor: the file that all cases derive from.
    static RawFile valid() {
        RawFile file;
        file.entries = {rawText("general.architecture", "llama"),
                        rawEntry("general.alignment", kRawU32, RawBytes().u32(32)),
                        rawArray("test.array", kRawI32, 4, RawBytes().u32(1).u32(2).u32(3).u32(4))};
        file.tensors = {RawTensor()};
        return file;
    }
    RawFile& entry(const RawBytes& bytes) {
        entries.push_back(bytes);
        return *this;
    }
    std::vector<std::byte> bytes() const {
        RawBytes out("GGUF");
        out.u32(3).u64(tensors.size()).u64(entries.size());
        for (const RawBytes& one : entries)
            out.add(one);
        for (const RawTensor& tensor : tensors) {
            out.text(tensor.name).u32(tensor.dims.size());
            for (const std::uint64_t dim : tensor.dims)
                out.u64(dim);
            out.u32(tensor.type).u64(tensor.offset);
        }
        if (!tensors.empty()) {
            out.zeros((alignment - out.size() % alignment) % alignment);
            for (std::size_t i = 0; i < dataBytes; ++i)
                out.u8(i & 0xFF);
        }
        return out.bytes();
    }
};

}  // namespace loader::test
