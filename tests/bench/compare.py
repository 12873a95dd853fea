#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Speed of `gguf` and of llama.cpp on the same models, in pairs of fresh processes; docs/performance.md says how.

Each measurement ends in one file build/bench-results/speed/SET-MODEL-MEASUREMENT.json and one row of a table. Ends with
status 1 when a bar is missed, when the two sides do not compute the same thing, or when the machine was too restless.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field

import pairs
import peer
import report

TEXT = "The quick brown fox jumps over the lazy dog, and the"
# Both sides round activations, each in its own way, and random weights add such errors up: 0.9992 was seen with Q4_0. A
# wrong kernel, another model or another prompt is far below.
LEAST_COSINE = 0.99


@dataclass(frozen=True)
class Measurement:
    threads: int
    prompt: int = 0
    generate: int = 0
    depth: int = 0
    # A long one needs no round to warm up, on either side.
    warm_up: bool = True


MEASUREMENTS = {
    "prefill-32": Measurement(2, prompt=32),
    "prefill-128": Measurement(2, prompt=128),
    "prefill-512": Measurement(2, prompt=512),
    "prefill-4096": Measurement(2, prompt=4096, warm_up=False),
    "decode-64-t1": Measurement(1, generate=64),
    "decode-64-t2": Measurement(2, generate=64),
    "decode-depth-4096": Measurement(2, generate=32, depth=4096, warm_up=False),
}


@dataclass(frozen=True)
class Set:
    models: tuple
    # The least ratio of each measurement.
    bars: dict
    # The share of the memory's read bandwidth that is enough for decode, whatever the ratio; None where it does not count.
    bandwidth: float = None
    tier: str = ""
    # The least geometric mean over the models.
    means: dict = field(default_factory=dict)


SETS = {
    "dense": Set(pairs.DENSE, {"prefill-32": 1.5, "prefill-128": 1.5, "prefill-512": 2.0, "prefill-4096": 2.0, "decode-64-t1": 1.3,
                               "decode-64-t2": 1.1, "decode-depth-4096": 1.3}, 0.92, means={"prefill-512": 2.5}),
    "moe": Set(pairs.EXPERTS, {"prefill-512": 2.0, "decode-64-t1": 1.1, "decode-64-t2": 1.1}, 0.92),
    "avx2": Set(("Q4_0", "Q4_K_M", "Q6_K", "Q8_0"), {"prefill-512": 1.5, "decode-64-t1": 0.97, "decode-64-t2": 0.97}, tier="avx2"),
}


def ours(path, m, tier, ceilings, last):
    """Runs one process of ours and returns its tokens per second; `last` keeps all it said."""
    words = ["bench", path, "-p", m.prompt, "-n", m.generate, "-d", m.depth, "-t", m.threads, "-r", "1", "--first-token-runs", "0", "--json"]
    words += ["--tier", tier] if tier else []
    words += [] if m.warm_up else ["--no-warm-up"]
    last.clear()
    last.update(json.loads(peer.gguf(*words)))
    ceilings.add(last["ceilings"])
    return last["prompt" if m.prompt else "generation"]["tokens_per_second"]["median"]


def theirs(path, m, flash, folder):
    words = ["-m", path, "-p", m.prompt, "-n", m.generate, "-d", m.depth, "-t", m.threads, "-r", "1", "-ngl", "0", "-fa", flash, "-o", "json"]
    words += [] if m.warm_up else ["--no-warmup"]
    return json.loads(peer.peer(folder, "llama-bench", *words))[0]["avg_ts"]


def share(speed, said, m, ceilings):
    """Returns the part of the ceiling that a speed reaches; the ceiling is the best of this measurement."""
    part = said["prompt" if m.prompt else "generation"]
    keys = [said["prompt_ceiling"]] if m.prompt else ["memory_read_bytes_per_second", "working_set_read_bytes_per_second"]
    own, best = (max(figures.get(k, 0.0) for k in keys) for figures in (said["ceilings"], ceilings.best))
    return part["share"] * own / part["tokens_per_second"]["median"] * speed / best


def measure(name, path, key, chosen, o, folder):
    """Measures one row and saves it."""
    m, bar, last = MEASUREMENTS[key], chosen.bars[key], {}
    ceilings = pairs.Ceilings(m.threads)
    # One run of each tells which is the peer's best.
    flash = max(("0", "1"), key=lambda f: theirs(path, m, f, folder))
    kept, discarded = pairs.run(o.pairs, o.tries, o.patience, ceilings,
                                lambda: ours(path, m, chosen.tier, ceilings, last), lambda: theirs(path, m, flash, folder))
    if not kept:
        print(f"MISSED {path.name}, {key}: all {discarded} pairs were disturbed; nothing is saved", flush=True)
        return False
    row = {"set": name, "model": path.stem.removeprefix("bench-"), "measurement": key, "threads": m.threads, "flash": flash,
           "tier": last["load_report"].get("tier", ""), **pairs.summary(kept), "pairs": len(kept), "discarded": discarded,
           "shared": pairs.shared_core(kept, ceilings), "bar": bar, "bandwidth": chosen.bandwidth if m.generate else None,
           "ceiling": last["prompt_ceiling"] if m.prompt else "memory read", "ceilings": ceilings.best, "each": kept}
    row["share"] = share(row["ours"], last, m, ceilings)
    by_ratio, by_bandwidth = row["ratio"] >= bar, row["bandwidth"] is not None and row["share"] >= row["bandwidth"]
    row["met"] = len(kept) == o.pairs and row["share"] <= 1 and (by_ratio or by_bandwidth)
    pairs.save("speed", f"{name}-{row['model']}-{key}", row)
    print(report.speed_row(row), flush=True)
    return row["met"]


def same_logits(name, path, folder):
    """Tells by the logits whether both sides compute the same thing."""
    here = peer.logits_of_ours(path, TEXT, "cpu", folder)
    there, read = peer.logits_of_peer(path, TEXT, folder)
    tokens = peer.tokens_of_ours(path, TEXT, "--no-special") == read
    cosine = 1 - peer.distance(here, there)
    met = tokens and cosine >= LEAST_COSINE
    stem = path.stem.removeprefix("bench-")
    pairs.save("logits", f"{name}-{stem}", {"set": name, "model": stem, "cosine": cosine, "same_tokens": tokens,
                                            "same_top": peer.top(here)[0] == peer.top(there)[0], "least": LEAST_COSINE, "met": met})
    if not met:
        print(f"MISSED {path.name}: the logits differ, cosine {cosine:.6f}, {'same' if tokens else 'other'} tokens", flush=True)
    return met


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("set", nargs="?", default="dense", choices=SETS, help="what to measure (default: dense)")
    options.add_argument("--models", default="", help="only these, separated by commas")
    options.add_argument("--measurements", default="", help=f"only these, separated by commas: {', '.join(MEASUREMENTS)}")
    options.add_argument("--no-logits", action="store_true", help="leave out the comparison of the logits")
    pairs.add_options(options)
    o = options.parse_args()
    chosen, good = SETS[o.set], True
    keys = pairs.names(o.measurements, chosen.bars)
    if o.set == "avx2":
        pairs.avx2_peer()
    print(report.SPEED_HEAD, flush=True)
    with peer.scratch() as folder:
        for name in pairs.names(o.models, chosen.models):
            path = pairs.model(name)
            if not o.no_logits:
                good = same_logits(o.set, path, folder) and good
            for key in keys:
                good = measure(o.set, path, key, chosen, o, folder) and good
    for key, least in chosen.means.items():
        mean = report.geometric_mean(o.set, key)
        if mean is not None and key in keys:
            met = mean >= least
            print(f"\n{'met   ' if met else 'MISSED'} geometric mean of {key}: {mean:.2f}, at least {least}", flush=True)
            good = good and met
    if o.write:
        report.write(o.write)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
