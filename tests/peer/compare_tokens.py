#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Splits texts into tokens, `gguf` and llama.cpp with the vocabulary of the same model file, once with the texts of
special tokens taken as text and once as those tokens; every list of ids must be the same.
"""

import argparse
import sys

import peer

HERE = peer.REPOSITORY / "tests" / "peer"
ODD = ["", " ", "  two  spaces ", "a\nb\r\n\n\n c\t\td ", "It's 12:30, isn't it? WE'LL SEE'M", "<s>one</s> [INST] <|user|> <|im_start|>x<|im_end|>",
       "ﬁ ① ½ e\u0301 \u200b\u00a0\ufeffx \u202eabc", "👩‍👩‍👧‍👦🏳️‍🌈", "1234567890 12,345.678 0x1F", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]


def texts(blocks, lines):
    """Returns every prompt, the odd cases, and stretches of running text with their line ends."""
    prompts = [p for name in ("prompts.txt", "prompts-short.txt") for p in (HERE / name).read_text(encoding="utf-8").splitlines()]
    wiki = (peer.SHARED / "text" / "wiki.test.raw").read_text(encoding="utf-8").splitlines(keepends=True)
    step = len(wiki) // blocks
    return prompts + ODD + ["".join(wiki[i * step:i * step + lines]) for i in range(blocks)]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=8443)
    options.add_argument("--blocks", type=int, default=40, help="stretches of the text corpus")
    options.add_argument("--lines", type=int, default=10, help="lines in each")
    o = options.parse_args()
    models = [peer.SHARED / "models" / "stories15M-Q8_0.gguf", peer.SHARED / "models" / "minimind2-small-Q8_0.gguf",
              peer.REPOSITORY / "tools" / "guide" / "guide.gguf", peer.tinyllama()]
    cases, result = texts(o.blocks, o.lines), {}
    for model in models:
        different, ids = [], 0
        with peer.Server(model, o.port, "-c", "128") as server:
            for text in cases:
                for special in (False, True):
                    here = peer.tokens_of_ours(model, text, *([] if special else ["--no-special"]))
                    there = server.ask("/tokenize", {"content": text, "add_special": True, "parse_special": special})["tokens"]
                    ids += len(there)
                    if here != there:
                        different.append({"text": text, "special": special, "ours": here, "peer": there})
        print(f"  {'MISSED' if different else 'met   '} {model.name}: {2 * len(cases) - len(different)} of {2 * len(cases)} texts, {ids} tokens", flush=True)
        for d in different[:5]:
            print(f"    special={d['special']} {d['text'][:60]!r}: ours {d['ours'][:12]}, the peer {d['peer'][:12]}")
        result[model.name] = {"texts": 2 * len(cases), "tokens": ids, "different": different}
    met = not any(r["different"] for r in result.values())
    peer.save("tokens", {"met": met, "models": result})
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
