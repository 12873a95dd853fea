# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Writes GGUF version 3 files with F32 and Q8_0 tensors, and reads such files back."""
import struct

import numpy as np

ALIGNMENT = 32
F32, Q8_0 = 0, 8
U32, I32, FLOAT, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
PLAIN = {0: "B", 1: "b", 2: "H", 3: "h", U32: "I", I32: "i", FLOAT: "f", BOOL: "?", 10: "Q", 11: "q", 12: "d"}


def to_q8_0(rows):
    """Rounds to blocks of 32 whole numbers with a 16-bit scale each; returns the bytes."""
    blocks = np.asarray(rows, np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(1, keepdims=True) / 127
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = blocks * inverse
    packed = np.empty(len(blocks), [("d", "<f2"), ("q", "i1", 32)])
    packed["d"] = scale[:, 0]
    packed["q"] = np.trunc(scaled + np.copysign(0.5, scaled))  # Halves are rounded away from zero, as ggml does.
    return packed.tobytes()


def from_q8_0(data, shape):
    packed = np.frombuffer(data, [("d", "<f2"), ("q", "i1", 32)])
    return (packed["d"].astype(np.float32)[:, None] * packed["q"]).reshape(shape)


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def typed(kind, value, inner=None):
    """Returns a value's type and bytes."""
    if kind == STRING:
        return struct.pack("<I", kind) + text(value)
    if kind == ARRAY:
        body = b"".join(text(v) for v in value) if inner == STRING else struct.pack(f"<{len(value)}{PLAIN[inner]}", *value)
        return struct.pack("<IIQ", kind, inner, len(value)) + body
    return struct.pack("<I" + PLAIN[kind], kind, value)


def write_gguf(path, fields, tensors):
    """Writes the fields, a list of (key, type, value[, type of the array's items]), and the tensors, a dictionary of arrays.

    Arrays with two dimensions are written as Q8_0, the others as F32. Returns the length of the file.
    """
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields))
    for key, *value in fields:
        head += text(key) + typed(value[0], value[1], *value[2:])
    body = bytearray()
    for name, array in tensors.items():
        array = np.ascontiguousarray(array, np.float32)
        if array.ndim == 2 and array.shape[1] % 256:
            raise ValueError(f"{name}: the rows are not a multiple of 256 long")
        kind, raw = (Q8_0, to_q8_0(array)) if array.ndim == 2 else (F32, array.astype("<f4").tobytes())
        body += bytes(-len(body) % ALIGNMENT)
        head += text(name) + struct.pack("<I", array.ndim) + struct.pack(f"<{array.ndim}Q", *array.shape[::-1])
        head += struct.pack("<IQ", kind, len(body))
        body += raw
    head += bytes(-len(head) % ALIGNMENT)
    body += bytes(-len(body) % ALIGNMENT)
    with open(path, "wb") as file:
        file.write(head + body)
    return len(head) + len(body)


def read_gguf(path):
    """Returns the fields and the tensors (as 32-bit numbers) of a file that write_gguf wrote."""
    with open(path, "rb") as file:
        data = file.read()
    at = 0

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values[0] if len(values) == 1 else values

    def take_text():
        nonlocal at
        length = take("Q")
        at += length
        return data[at - length:at].decode()

    def take_value(kind):
        if kind == STRING:
            return take_text()
        if kind == ARRAY:
            inner, count = take("IQ")
            return [take_value(inner) for _ in range(count)]
        return take(PLAIN[kind])

    magic, version, tensor_count, field_count = take("4sIQQ")
    if magic != b"GGUF" or version != 3:
        raise ValueError(f"{path} is not a GGUF file of version 3")
    fields = {}
    for _ in range(field_count):
        key = take_text()
        fields[key] = take_value(take("I"))
    places = []
    for _ in range(tensor_count):
        name = take_text()
        shape = [take("Q") for _ in range(take("I"))][::-1]
        places.append((name, shape, *take("IQ")))
    at += -at % ALIGNMENT
    tensors = {}
    for name, shape, kind, offset in places:
        count = int(np.prod(shape))
        size = count * 4 if kind == F32 else count // 32 * 34
        raw = data[at + offset:at + offset + size]
        tensors[name] = np.frombuffer(raw, "<f4").reshape(shape) if kind == F32 else from_q8_0(raw, shape)
    return fields, tensors
