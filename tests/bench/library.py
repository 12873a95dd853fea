#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
#
# How long the library takes for many model files: all headers read once (cold: nothing is in the index), then
# from the index (cached). The files have whole headers, word lists included, and no weights to speak of.
# Python 3 standard library only.
"""Usage: library.py PATH_OF_GGUF [--files 1000] [--tokens 2000] [--runs 5] [--json]"""

import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

U32, F32, TEXT, ARRAY = 4, 6, 8, 9


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, kind, payload):
    return text(key) + struct.pack("<I", kind) + payload


def words(key, values):
    return entry(key, ARRAY, struct.pack("<IQ", TEXT, len(values)) + b"".join(map(text, values)))


def header(number, tokens):
    """A file as a converter writes it, of which only the tensor is small."""
    vocabulary = [f"\u0120token{i}" for i in range(tokens)]
    entries = [
        entry("general.architecture", TEXT, text("llama")),
        entry("general.name", TEXT, text(f"Model {number // 4}")),
        entry("llama.context_length", U32, struct.pack("<I", 4096)),
        entry("llama.embedding_length", U32, struct.pack("<I", 64)),
        entry("llama.block_count", U32, struct.pack("<I", 2)),
        entry("llama.attention.head_count", U32, struct.pack("<I", 2)),
        entry("llama.attention.layer_norm_rms_epsilon", F32, struct.pack("<f", 1e-5)),
        entry("tokenizer.ggml.model", TEXT, text("gpt2")),
        words("tokenizer.ggml.tokens", vocabulary),
        words("tokenizer.ggml.merges", [f"\u0120t o{i}" for i in range(tokens)]),
    ]
    tensors = 200
    table = b"".join(text(f"blk.{i}.attn_q.weight") + struct.pack("<IQIQ", 1, 8, 0, 32 * i) for i in range(tensors))
    head = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(entries)) + b"".join(entries) + table
    return head + bytes(-len(head) % 32) + bytes(32 * tensors)


def timed(command, environment):
    begin = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return (time.perf_counter() - begin) * 1000, json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("gguf")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="loader_library_")
    try:
        library = os.path.join(folder, "models")
        for number in range(options.files):
            place = os.path.join(library, f"folder {number % 20}")
            os.makedirs(place, exist_ok=True)
            # Half of them without the usual ending: they are found by their content.
            ending = ".gguf" if number % 2 else ""
            with open(os.path.join(place, f"model-{number}{ending}"), "wb") as file:
                file.write(header(number, options.tokens))
        size = len(header(0, options.tokens))
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": folder, "GGUF_LOADER_MODELS": library,
                       "XDG_DATA_HOME": os.path.join(folder, "data"), "XDG_CACHE_HOME": os.path.join(folder, "cache"),
                       "XDG_STATE_HOME": os.path.join(folder, "state")}
        command = [options.gguf, "models", "--json"]
        cold, warm = [], []
        for _ in range(options.runs):
            shutil.rmtree(os.path.join(folder, "data"), ignore_errors=True)
            elapsed, said = timed(command, environment)
            found = sum(model["path"].startswith(library) for model in said["models"])
            assert found == options.files, f"{found} of {options.files} files"
            assert not any("error" in model for model in said["models"])
            cold.append(elapsed)
            elapsed, said = timed(command, environment)
            assert said["headers_read"] == 0, said["headers_read"]
            warm.append(elapsed)
        result = {"files": options.files, "header_bytes": size, "runs": options.runs,
                  "cold_ms": {"median": statistics.median(cold), "min": min(cold), "max": max(cold)},
                  "cached_ms": {"median": statistics.median(warm), "min": min(warm), "max": max(warm)}}
        if options.json:
            print(json.dumps(result))
        else:
            print(f"{options.files} files with headers of {size} bytes, {options.runs} runs, whole program each time")
            for name in ("cold", "cached"):
                row = result[f"{name}_ms"]
                print(f"{name:8} median {row['median']:8.1f} ms   min {row['min']:8.1f}   max {row['max']:8.1f}")
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
