#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""What speed costs in quality: KL divergence of our `cpu` from our `reference` back end over windows of running text, next to
llama.cpp's quantised run from its own run on the same weights as F32.

Bars: the mean is at most 1e-3 and at most 1.5 times the peer's; the perplexities of both back ends are within 0.2 %.
Ours is measured twice: prompts computed many tokens at once, and one token after another, as they are generated.
"""

import argparse
import json
import re
import sys

import pairs
import peer
import report

MOST, FACTOR, PERPLEXITY = 1e-3, 1.5, 2e-3
SOURCE = "minimind2-small-Q8_0"
TEXT = peer.SHARED / "text" / "wiki.test.raw"
BATCHES = {"512 at once": 512, "one by one": 1}
FIGURES = {"kl_mean": r"Mean\s+KLD:\s+(\S+)", "kl_max": r"Maximum\s+KLD:\s+(\S+)", "same_top": r"Same top p:\s+(\S+)",
           "perplexity": r"Mean PPL\(Q\)\s*:\s+(\S+)", "exact_perplexity": r"Mean PPL\(base\)\s*:\s+(\S+)"}


def of_peer(path, o, folder):
    """Returns the peer's figures; its windows begin with the beginning token too, which shifts them by one token."""
    common = ["-f", TEXT, "-c", o.context, "--chunks", o.chunks, "-t", peer.THREADS, "-ngl", "0",
              "--override-kv", "tokenizer.ggml.add_bos_token=bool:true", "--kl-divergence-base", "/out/base.kld"]
    exact = peer.dequantise(path, folder)
    peer.peer(folder, "llama-perplexity", "-m", exact, *common, "-fa", "off", "-ctk", "f32", "-ctv", "f32")
    exact.unlink()
    said = peer.peer(folder, "llama-perplexity", "-m", path, *common, "--kl-divergence").decode("utf-8", "replace")
    (folder / "base.kld").unlink()
    found = {key: re.search(pattern, said) for key, pattern in FIGURES.items()}
    missing = [key for key, match in found.items() if not match]
    if missing:
        raise SystemExit(f"llama-perplexity did not print {', '.join(missing)}:\n{said[-800:]}")
    figures = {key: float(match.group(1)) for key, match in found.items()}
    return {**figures, "same_top": figures["same_top"] / 100}


def of_ours(path, o, batch):
    words = ["perplexity", path, "-f", TEXT, "-c", o.context, "--chunks", o.chunks, "-t", peer.THREADS, "-b", batch, "--backend", "cpu",
             "--compare-backend", "reference", "--json"]
    words += ["--tier", o.tier] if o.tier else []
    said = json.loads(peer.gguf(*words))
    return {**said["compared"], "perplexity": said["perplexity"], "exact_perplexity": said["compared"]["perplexity"], "tokens": said["tokens"]}


def measure(path, name, o, folder):
    theirs, good = of_peer(path, o, folder), True
    for what, batch in BATCHES.items():
        figures = of_ours(path, o, batch)
        apart = abs(figures["perplexity"] / figures["exact_perplexity"] - 1)
        row = {"model": name, "tokens": figures["tokens"], "how": what, "tier": o.tier, "ours": figures, "peer": theirs, "apart": apart,
               "most": MOST, "factor": FACTOR, "perplexity_bar": PERPLEXITY,
               "met": figures["kl_mean"] <= min(MOST, FACTOR * theirs["kl_mean"]) and apart <= PERPLEXITY}
        pairs.save("quality", f"{name}-{batch}{'-' + o.tier if o.tier else ''}", row)
        print(report.quality_row(row), flush=True)
        good = good and row["met"]
    return good


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--types", default="Q8_0,Q4_0", help="types to requantise the model to (default: Q8_0,Q4_0)")
    options.add_argument("-c", "--context", type=int, default=512, help="tokens of a window, of which half are scored (default: 512)")
    options.add_argument("--chunks", type=int, default=8, help="windows (default: 8, which is 2,040 scored tokens)")
    options.add_argument("--tier", default="", help="our instruction-set tier")
    options.add_argument("--write", metavar="DOCUMENT", help="also bring the tables in this document up to date")
    o = options.parse_args()
    source, good = peer.SHARED / "models" / f"{SOURCE}.gguf", True
    print(report.QUALITY_HEAD, flush=True)
    for kind in o.types.split(","):
        with peer.scratch() as folder:
            path = source
            if kind != "Q8_0":
                path = folder / f"minimind2-small-{kind}.gguf"
                peer.peer(folder, "llama-quantize", "--allow-requantize", source, f"/out/{path.name}", kind, peer.THREADS)
            good = measure(path, f"minimind2-small-{kind}", o, folder) and good
    if o.write:
        report.write(o.write)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
