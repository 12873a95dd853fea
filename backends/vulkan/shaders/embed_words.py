#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Writes SPIR-V binaries as one C++ source: arrays of words and their lengths, for shader_list.cpp.

usage: embed_words.py OUT.cpp FILE.spv...
"""

import os
import struct
import sys

MAGIC = 0x07230203
WORDS_A_LINE = 10


def words_of(path):
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 20 or len(data) % 4:
        raise ValueError(f"{path}: {len(data)} bytes are no SPIR-V")
    words = struct.unpack(f"<{len(data) // 4}I", data)
    if words[0] != MAGIC:
        raise ValueError(f"{path}: this is no SPIR-V")
    return words


def array_of(name, words):
    lines = [" ".join(f"0x{word:x}," for word in words[at:at + WORDS_A_LINE])
             for at in range(0, len(words), WORDS_A_LINE)]
    body = "\n".join(lines)
    return (f"extern const std::uint32_t k{name}[];\nextern const std::size_t k{name}Words;\n"
            f"const std::uint32_t k{name}[] = {{\n{body}\n}};\nconst std::size_t k{name}Words = {len(words)};\n")


def main(out, paths):
    text = "// Written by embed_words.py.\n#include <cstddef>\n#include <cstdint>\nnamespace loader::vulkan::code {\n"
    for path in paths:
        name = os.path.splitext(os.path.basename(path))[0]
        text += array_of(name, words_of(path))
    text += "}  // namespace loader::vulkan::code\n"
    with open(out, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2:])
    except (OSError, ValueError) as error:
        sys.exit(f"embed_words.py: {error}")
