# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Writes build/weights.pt and build/vocab.json as one GGUF file: python3 export.py [--build BUILD] [--out guide.gguf]."""
import argparse
from pathlib import Path

import torch

import bpe
from data import HERE
from gguf_writer import ARRAY, BOOL, FLOAT, I32, STRING, U32, write_gguf

LIMIT = 5_000_000
# The template writes every special token itself, so no loader needs to add one.
TEMPLATE = (
    "{{ '<|begin|>' }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ '<|system|>' }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|reply|>' }}"
    "{% else %}{{ '<|ask|>' }}{% endif %}"
    "{{ message['content'] | trim }}{{ '<|done|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|reply|>' }}{% endif %}"
)


def fields(shape, tokenizer):
    specials = len(bpe.SPECIALS)
    return [
        ("general.architecture", STRING, "llama"),
        ("general.type", STRING, "model"),
        ("general.name", STRING, "guide"),
        ("general.description", STRING, "Answers questions about GGUF Loader and about local models."),
        ("general.license", STRING, "Apache-2.0"),
        ("general.languages", ARRAY, ["en"], STRING),
        ("general.file_type", U32, 7),
        ("general.quantization_version", U32, 2),
        ("general.sampling.temp", FLOAT, 0.0),  # It knows one good answer to each question.
        ("llama.block_count", U32, shape["layers"]),
        ("llama.context_length", U32, shape["context"]),
        ("llama.embedding_length", U32, shape["width"]),
        ("llama.feed_forward_length", U32, shape["ff"]),
        ("llama.attention.head_count", U32, shape["heads"]),
        ("llama.attention.head_count_kv", U32, shape["kv_heads"]),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT, shape["eps"]),
        ("llama.rope.freq_base", FLOAT, shape["base"]),
        ("llama.rope.dimension_count", U32, shape["width"] // shape["heads"]),
        ("llama.vocab_size", U32, shape["vocab"]),
        ("tokenizer.ggml.model", STRING, "gpt2"),
        ("tokenizer.ggml.pre", STRING, "gpt-2"),
        ("tokenizer.ggml.tokens", ARRAY, tokenizer.tokens, STRING),
        ("tokenizer.ggml.token_type", ARRAY, [3] * specials + [1] * (len(tokenizer.tokens) - specials), I32),
        ("tokenizer.ggml.merges", ARRAY, [" ".join(m) for m in tokenizer.merges], STRING),
        ("tokenizer.ggml.bos_token_id", U32, bpe.BEGIN),
        ("tokenizer.ggml.eos_token_id", U32, bpe.DONE),
        ("tokenizer.ggml.eot_token_id", U32, bpe.DONE),
        ("tokenizer.ggml.padding_token_id", U32, bpe.PAD),
        ("tokenizer.ggml.add_bos_token", BOOL, False),
        ("tokenizer.ggml.add_eos_token", BOOL, False),
        ("tokenizer.ggml.add_space_prefix", BOOL, False),
        ("tokenizer.chat_template", STRING, TEMPLATE),
    ]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", type=Path, default=HERE / "build")
    options.add_argument("--out", type=Path, default=HERE / "guide.gguf")
    o = options.parse_args()
    saved = torch.load(o.build / "weights.pt")
    tokenizer = bpe.Tokenizer.load(o.build / "vocab.json")
    size = write_gguf(o.out, fields(saved["shape"], tokenizer), {k: w.numpy() for k, w in saved["weights"].items()})
    print(f"{o.out}: {size} bytes")
    if size > LIMIT:
        raise SystemExit(f"the file is larger than {LIMIT} bytes")


if __name__ == "__main__":
    main()
