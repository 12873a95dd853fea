#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Writes a mixture of experts of random F16 weights: 8 experts of which 2 are used, in the shape of a small Mixtral.

usage: make_moe_model.py VOCABULARY.gguf OUT.gguf [LAYERS]

It has 0.9 billion weights with 16 layers, 0.3 billion of which a token uses. The word list comes from another file. Speed
does not depend on the values of weights; the router's are random too, so that every expert gets tokens.
"""

import os
import random
import statistics
import struct
import sys
from array import array

WIDTH, FF, HEADS, KV_HEADS, EXPERTS, USED = 1024, 2048, 16, 4, 8, 2
HEAD = WIDTH // HEADS
ALIGNMENT, VERSION = 32, 3
F32, F16 = 0, 1
# Types of metadata values: the letter of struct for each plain one.
PLAIN = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
U32, FLOAT, STRING, ARRAY = 4, 6, 8, 9
DEVIATION = 0.02


def vocabulary(path):
    """Returns the tokenizer's keys with their types and values as bytes, and the number of tokens."""
    with open(path, "rb") as file:
        data = file.read()
    at = 0

    def number(letter):
        nonlocal at
        value, = struct.unpack_from("<" + letter, data, at)
        at += struct.calcsize(letter)
        return value

    def skip(kind):
        """Passes over a value; returns how many items it has."""
        nonlocal at
        if kind == STRING:
            length = number("Q")
            at += length
        elif kind == ARRAY:
            inner, count = number("I"), number("Q")
            for _ in range(count):
                skip(inner)
            return count
        else:
            at += struct.calcsize(PLAIN[kind])
        return 1

    if number("I") != int.from_bytes(b"GGUF", "little") or number("I") != VERSION:
        raise SystemExit(f"{path} is not a GGUF file of version {VERSION}")
    number("Q")
    taken, tokens = [], 0
    for _ in range(number("Q")):
        begin = at
        skip(STRING)
        key = data[begin + 8:at].decode()
        items = skip(number("I"))
        if key.startswith("tokenizer."):
            taken.append(data[begin:at])
        if key == "tokenizer.ggml.tokens":
            tokens = items
    return taken, tokens


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + (text(value) if kind == STRING else struct.pack("<" + PLAIN[kind], value))


def metadata(layers, tokens):
    counts = {"context_length": 8192, "embedding_length": WIDTH, "block_count": layers, "feed_forward_length": FF, "attention.head_count": HEADS,
              "attention.head_count_kv": KV_HEADS, "rope.dimension_count": HEAD, "vocab_size": tokens, "expert_count": EXPERTS,
              "expert_used_count": USED}
    return [pair("general.architecture", STRING, "llama"), pair("general.name", STRING, "bench experts"), pair("general.file_type", U32, 1),
            *(pair(f"llama.{key}", U32, value) for key, value in counts.items()),
            pair("llama.rope.freq_base", FLOAT, 10000.0), pair("llama.attention.layer_norm_rms_epsilon", FLOAT, 1e-5)]


def tensors(layers, tokens):
    """Returns name, type and shape of each, the shape with the length of a row first, as the file has it."""
    yield "token_embd.weight", F16, (WIDTH, tokens)
    yield "output.weight", F16, (WIDTH, tokens)
    yield "output_norm.weight", F32, (WIDTH,)
    for i in range(layers):
        block = f"blk.{i}."
        yield block + "attn_norm.weight", F32, (WIDTH,)
        yield block + "ffn_norm.weight", F32, (WIDTH,)
        yield block + "attn_q.weight", F16, (WIDTH, WIDTH)
        yield block + "attn_k.weight", F16, (WIDTH, KV_HEADS * HEAD)
        yield block + "attn_v.weight", F16, (WIDTH, KV_HEADS * HEAD)
        yield block + "attn_output.weight", F16, (WIDTH, WIDTH)
        yield block + "ffn_gate_inp.weight", F32, (WIDTH, EXPERTS)
        yield block + "ffn_gate_exps.weight", F16, (WIDTH, FF, EXPERTS)
        yield block + "ffn_up_exps.weight", F16, (WIDTH, FF, EXPERTS)
        yield block + "ffn_down_exps.weight", F16, (FF, WIDTH, EXPERTS)


def count_of(shape):
    count = 1
    for length in shape:
        count *= length
    return count


def bytes_of(kind, shape):
    return count_of(shape) * (2 if kind == F16 else 4)


class Normal:
    """Normally distributed F16 numbers, fast without a library: the upper byte by 256 quantiles, the lower at random."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        distribution = statistics.NormalDist(0, DEVIATION)
        quantiles = (distribution.inv_cdf((i + 0.5) / 256) for i in range(256))
        self._upper = bytes(struct.pack("<e", value)[1] for value in quantiles)

    def f16(self, count):
        mixed = bytearray(2 * count)
        mixed[0::2] = self._random.randbytes(count)
        mixed[1::2] = self._random.randbytes(count).translate(self._upper)
        return mixed

    def f32(self, count):
        values = array("f", (self._random.gauss(0, DEVIATION) for _ in range(count)))
        if sys.byteorder == "big":
            values.byteswap()
        return values.tobytes()


def values(normal, name, kind, shape):
    """Yields the bytes of a tensor in pieces."""
    count = count_of(shape)
    if kind == F32:
        yield struct.pack(f"<{count}f", *[1.0] * count) if name.endswith("norm.weight") else normal.f32(count)
        return
    piece = 1 << 22
    for begin in range(0, count, piece):
        yield normal.f16(min(piece, count - begin))


def main():
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    layers = int(sys.argv[3]) if len(sys.argv) == 4 else 16
    words, tokens = vocabulary(sys.argv[1])
    pairs = metadata(layers, tokens) + words
    listed, offset = list(tensors(layers, tokens)), 0
    head = b"GGUF" + struct.pack("<IQQ", VERSION, len(listed), len(pairs)) + b"".join(pairs)
    for name, kind, shape in listed:
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        offset += bytes_of(kind, shape)
        if offset % ALIGNMENT:
            raise SystemExit(f"{name} does not end at a multiple of {ALIGNMENT} bytes")
    normal, part = Normal(1), sys.argv[2] + ".part"
    with open(part, "wb") as out:
        out.write(head + bytes(-len(head) % ALIGNMENT))
        for name, kind, shape in listed:
            for piece in values(normal, name, kind, shape):
                out.write(piece)
    os.replace(part, sys.argv[2])


if __name__ == "__main__":
    main()
