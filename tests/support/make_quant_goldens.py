#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Remakes tests/data/quant/dequantized.txt from the reference implementation of the tensor formats.

    python3 tests/support/make_quant_goldens.py [libggml-base.so.0] > tests/data/quant/dequantized.txt

Needs numpy and the Python package `gguf` (0.19 or later). Types that the package cannot convert (Q1_0, Q2_0, Q8_K) come
from ggml's C library, which is also compared with the package for every other type. Lines of the result:

    TYPE KIND BLOCKS CHECKSUM BITS…   checksum (FNV-1a, 64 bits) of the floats made of BLOCKS blocks of input KIND, and
                                      the bits of their first eight; every NaN counts as 7fc00000
    TYPE swapped BLOCKS CHECKSUM      checksum of the random blocks with the bytes of all wide fields reversed

    python3 tests/support/make_quant_goldens.py --quantized libggml-base.so.0 > tests/data/quant/quantized.txt

writes what the reference makes of 16 384 known floats:

    TYPE SHAPE bytes CHECKSUM         checksum of the bytes
    TYPE SHAPE error PLAIN WEIGHTED   root mean square error; the same with each value weighted by its magnitude
"""
import ctypes
import sys

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as Type

BLOCKS = 48
# Enough random indices to meet every entry of a codebook of 2048.
CODEBOOK_BLOCKS = 1024
# Fields wider than a byte, as (offset, width, count), and the offsets of half-precision scales among them.
FIELDS = {
    "F32": [(0, 4, 1)], "F16": [(0, 2, 1)], "BF16": [(0, 2, 1)], "F64": [(0, 8, 1)], "I8": [], "I16": [(0, 2, 1)],
    "I32": [(0, 4, 1)], "I64": [(0, 8, 1)], "Q4_0": [(0, 2, 1)], "Q4_1": [(0, 2, 2)], "Q5_0": [(0, 2, 1), (2, 4, 1)],
    "Q5_1": [(0, 2, 2), (4, 4, 1)], "Q8_0": [(0, 2, 1)], "Q8_1": [(0, 2, 2)], "Q2_K": [(80, 2, 2)],
    "Q3_K": [(108, 2, 1)], "Q4_K": [(0, 2, 2)], "Q5_K": [(0, 2, 2)], "Q6_K": [(208, 2, 1)],
    "Q8_K": [(0, 4, 1), (260, 2, 16)], "IQ2_XXS": [(0, 2, 1), (2, 4, 16)], "IQ2_XS": [(0, 2, 33)], "IQ2_S": [(0, 2, 1)],
    "IQ3_XXS": [(0, 2, 1), (66, 4, 8)], "IQ3_S": [(0, 2, 1)], "IQ1_S": [(0, 2, 1), (34, 2, 8)], "IQ1_M": [(48, 2, 4)],
    "IQ4_NL": [(0, 2, 1)], "IQ4_XS": [(0, 2, 2)], "TQ1_0": [(52, 2, 1)], "TQ2_0": [(64, 2, 1)], "MXFP4": [], "NVFP4": [],
    "Q1_0": [(0, 2, 1)], "Q2_0": [(0, 2, 1)],
}
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q8_1": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0],
    "IQ3_S": [0], "IQ1_S": [0], "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "Q1_0": [0], "Q2_0": [0],
}
SCALE_BITS = {"largest": 0x7BFF, "denormal": 0x0001}
PLAIN = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}


def random_bytes(seed, count):
    """splitmix64, eight bytes a step, lowest first."""
    out, state, mask = bytearray(), seed, (1 << 64) - 1
    while len(out) < count:
        state = (state + 0x9E3779B97F4A7C15) & mask
        word = state
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
        out += (word ^ (word >> 31)).to_bytes(8, "little")
    return np.frombuffer(bytes(out[:count]), np.uint8).copy()


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in bytes(data):
        value = ((value ^ byte) * 0x100000001B3) & ((1 << 64) - 1)
    return value


def count_of(kind, type_):
    return CODEBOOK_BLOCKS if kind == "random" and type_.name[:3] in ("IQ1", "IQ2", "IQ3") else BLOCKS


def blocks_of(kind, type_, size):
    if kind == "zero":
        return np.zeros((BLOCKS, size), np.uint8)
    if kind == "ones":
        return np.full((BLOCKS, size), 0xFF, np.uint8)
    count = count_of(kind, type_)
    data = random_bytes(int(type_), count * size).reshape(count, size)
    if kind in ("random", "swapped"):
        return data
    bits = SCALE_BITS[kind]
    for offset in SCALES.get(type_.name, []):
        data[:, offset] = bits & 0xFF
        data[:, offset + 1] = bits >> 8
    if type_.name == "IQ1_M":
        for i in range(4):
            data[:, 49 + 2 * i] = (data[:, 49 + 2 * i] & 0x0F) | (((bits >> (4 * i)) & 15) << 4)
    return data


def from_library(library, type_, data, values):
    function = getattr(library, "dequantize_row_" + type_.name.lower().replace("_k", "_K"), None)
    if function is None:
        return None
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    data = np.ascontiguousarray(data)
    out = np.zeros(values, np.float32)
    function(data.ctypes.data, out.ctypes.data, values)
    return out


def convert(library, type_, data, values):
    name = type_.name
    if name in PLAIN:
        return data.reshape(-1).view(PLAIN[name]).astype(np.float32)
    theirs = from_library(library, type_, data, values) if library else None
    if name == "Q8_1":
        scale = data[:, :2].copy().view("<f2").astype(np.float32)
        return (data[:, 4:].view(np.int8).astype(np.float32) * scale).reshape(-1)
    try:
        ours = quants.dequantize(data, type_).reshape(-1)
    except NotImplementedError:
        return theirs
    if theirs is not None and bits(theirs).tobytes() != bits(ours).tobytes():
        differ = np.nonzero(bits(theirs) != bits(ours))[0]
        print(f"{name}: package and library differ at {differ[:4]}: {ours[differ[:4]]} {theirs[differ[:4]]}", file=sys.stderr)
    return ours


def bits(values):
    result = values.astype("<f4").view("<u4").copy()
    result[np.isnan(values)] = 0x7FC00000
    return result


def swapped(type_, data):
    data = data.copy()
    for offset, width, count in FIELDS[type_.name]:
        end = offset + width * count
        data[:, offset:end] = data[:, offset:end].reshape(-1, count, width)[:, :, ::-1].reshape(-1, width * count)
    return data


def floats_of(shape):
    """Sums of twelve 16-bit numbers, so nearly a normal distribution of variance 1, and exact in every language."""
    words = random_bytes(7, 16384 * 24).view("<u2").reshape(-1, 12).astype(np.int64)
    values = ((words.sum(axis=1) - 393210) / 65536).astype(np.float32)
    if shape == "outliers":
        values[::37] *= 8
    if shape == "shifted":
        values += np.float32(2)
    return values


def quantized(path):
    library = ctypes.CDLL(path)
    for name in ("F16", "BF16", "Q4_0", "Q8_0", "Q4_K", "Q6_K"):
        type_ = Type[name]
        per_block, size = GGML_QUANT_SIZES[type_]
        for shape in ("normal", "outliers", "shifted"):
            values = floats_of(shape)
            if not name.endswith("_K"):
                print(f"{name} {shape} bytes {fnv(quants.quantize(values, type_).tobytes()):016x}")
                continue
            function = getattr(library, f"quantize_row_{name.lower()[:-1]}K_ref")
            function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
            data = np.zeros((len(values) // per_block, size), np.uint8)
            function(values.ctypes.data, data.ctypes.data, len(values))
            error = (quants.dequantize(data, type_).reshape(-1).astype(np.float64) - values) ** 2
            weights = np.abs(values.astype(np.float64))
            print(f"{name} {shape} error {np.sqrt(error.mean()):.9f} {np.sqrt((error * weights).sum() / weights.sum()):.9f}")


def main():
    np.seterr(all="ignore")
    if sys.argv[1:2] == ["--quantized"]:
        print("# Made by tests/support/make_quant_goldens.py --quantized; see there.")
        quantized(sys.argv[2])
        return
    library = ctypes.CDLL(sys.argv[1]) if len(sys.argv) > 1 else None
    print("# Made by tests/support/make_quant_goldens.py; see there.")
    for type_ in Type:
        values, size = GGML_QUANT_SIZES[type_]
        for kind in ("random", "zero", "ones", "largest", "denormal"):
            if kind in SCALE_BITS and type_.name not in SCALES and type_.name != "IQ1_M":
                continue
            result = convert(library, type_, blocks_of(kind, type_, size), count_of(kind, type_) * values)
            if result is None:
                sys.exit(f"{type_.name} needs the library")
            pattern = bits(result)
            first = " ".join(f"{word:08x}" for word in pattern[:8])
            print(f"{type_.name} {kind} {count_of(kind, type_)} {fnv(pattern.tobytes()):016x} {first}")
        print(f"{type_.name} swapped {BLOCKS} {fnv(swapped(type_, blocks_of('swapped', type_, size)).tobytes()):016x}")


main()
