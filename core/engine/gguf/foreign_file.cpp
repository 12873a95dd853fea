// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/foreign_file.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace loader::gguf {
namespace {

using namespace std::string_view_literals;

struct Kind {
    std::string_view start;
    std::string_view name;
    std::string_view action;
};

constexpr std::string_view kConverted = "Look for a .gguf file of this model, or convert it.";
constexpr std::string_view kFetchAgain = "Fetch the file again; what arrived is not the model.";

constexpr Kind kKinds[] = {
    {"lmgg"sv, "an older GGML model",
     "Look for a .gguf file of this model; the old format is no longer made."},
    {"tjgg"sv, "an older GGJT model",
     "Look for a .gguf file of this model; the old format is no longer made."},
    {"fmgg"sv, "an older GGMF model",
     "Look for a .gguf file of this model; the old format is no longer made."},
    {"version https://git-lfs"sv, "a Git-LFS pointer, which only names the model",
     "Run \"git lfs pull\", or download the file itself."},
    {"PK\x03\x04"sv, "a zip archive or PyTorch checkpoint", kConverted},
    {"\x1f\x8b"sv, "a gzip archive", "Unpack it first."},
    {"\x28\xb5\x2f\xfd"sv, "a zstd archive", "Unpack it first."},
    {"7z\xbc\xaf\x27\x1c"sv, "a 7z archive", "Unpack it first."},
    {"\x89HDF"sv, "an HDF5 file", kConverted},
    {"\x93NUMPY"sv, "a NumPy array", kConverted},
    {"<!doctype"sv, "a web page", kFetchAgain},
    {"<html"sv, "a web page", kFetchAgain},
    {"<?xml"sv, "an XML document", kFetchAgain},
    {"{"sv, "a JSON text", kFetchAgain},
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool startsWith(std::string_view text, std::string_view start) {
    return text.size() >= start.size() && std::equal(start.begin(), start.end(), text.begin(),
                                                     [](char a, char b) { return lower(a) == lower(b); });
}

Error asError(std::string_view name, std::string_view action) {
    return Error(Errc::GG003, {std::string(name), std::string(action)}, "offset 0");
}

/// A length below 2^27 in the first eight bytes, then the JSON object it counts.
bool isSafetensors(std::string_view text) {
    return text.size() >= 9 && text[8] == '{' && text.substr(4, 4) == "\0\0\0\0"sv &&
           static_cast<unsigned char>(text[3]) < 8;
}

}  // namespace

std::optional<Error> recogniseForeign(std::span<const std::byte> head) {
    const std::string_view whole(reinterpret_cast<const char*>(head.data()), head.size());
    if (isSafetensors(whole)) return asError("a safetensors file", kConverted);
    // The protocol byte of a pickle is 2 to 5.
    if (whole.size() >= 2 && whole[0] == '\x80' && whole[1] >= 2 && whole[1] <= 5) {
        return asError("a Python pickle", kConverted);
    }
    std::string_view text = whole;
    while (!text.empty() && (text[0] == ' ' || text[0] == '\n' || text[0] == '\r' || text[0] == '\t')) {
        text.remove_prefix(1);
    }
    for (const Kind& kind : kKinds) {
        if (startsWith(text, kind.start)) return asError(kind.name, kind.action);
    }
    return std::nullopt;
}

}  // namespace loader::gguf
