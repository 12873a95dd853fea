#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Time from the start of a process to its first token, and its peak memory: ours and llama.cpp's, with the same prompt of
128 tokens, the same context and the file in the cache. llama-completion runs with the
options that make it fastest, and the time that entering its chroot takes is given back to it.

Bars: at most half of the peer's time, and at most the peer's peak memory.
"""

import argparse
import os
import subprocess
import sys
import time
from statistics import median

import pairs
import peer
import report

TOKENS, CONTEXT, FACTOR = 128, 512, 0.5
COMMON = ("-n", "1", "-c", str(CONTEXT), "-ngl", "0", "--no-warmup", "--temp", "0", "--no-display-prompt", "-no-cnv")
# What could be the peer's fastest way to a first token: fitting to the memory and repacking of weights take time.
VARIANTS = {
    "as it comes": (),
    "not fitted": ("--fit", "off"),
    "not fitted, flash attention": ("--fit", "off", "-fa", "on"),
    "not fitted, not repacked": ("--fit", "off", "--no-repack"),
    "not fitted, not repacked, flash attention": ("--fit", "off", "--no-repack", "-fa", "on"),
}


def timed(command, environment=None):
    """Returns the seconds to the first byte of output (to the end, where there is none), and the peak of resident bytes."""
    start = time.monotonic()
    child = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    # One read returns as soon as there is anything: a random model's first token can also be an empty text.
    os.read(child.stdout.fileno(), 1)
    seconds = time.monotonic() - start
    while os.read(child.stdout.fileno(), 65536):
        pass
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode != 0:
        raise SystemExit(f"{command[0]} {command[1]} ended with status {child.returncode}")
    return seconds, usage.ru_maxrss * 1024


class Side:
    """One program on one model; collects the peaks."""

    def __init__(self, command, environment=None, free=0.0):
        self.command, self.environment, self.free = command, environment, free
        self.peaks = []

    def __call__(self):
        seconds, peak = timed(self.command, self.environment)
        self.peaks.append(peak)
        return max(seconds - self.free, 1e-6)


def measure(path, o, folder):
    prompt, threads = pairs.prompt_of(path, TOKENS), int(peer.THREADS)
    environment = {**os.environ, "PEER_OUT": str(folder)}
    entering = median(timed([peer.PEER, "true"], environment)[0] for _ in range(7))
    ours = Side([peer.GGUF, "run", path, "-p", prompt, "-n", "1", "--temperature", "0", "--ignore-eos", "-c", CONTEXT, "-t", threads])
    variants = {name: Side([peer.PEER, "llama-completion", "-m", path, "-p", prompt, "-t", threads, *COMMON, *words], environment, entering)
                for name, words in VARIANTS.items()}
    ours()
    fastest = min(variants, key=lambda name: min(variants[name]() for _ in range(2)))
    ceilings = pairs.Ceilings(threads)
    kept, discarded = pairs.run(o.pairs, o.tries, o.patience, ceilings, ours, variants[fastest])
    if not kept:
        print(f"MISSED {path.name}: all {discarded} pairs were disturbed; nothing is saved", flush=True)
        return False
    row = {"model": path.stem.removeprefix("bench-"), "threads": threads, "tokens": TOKENS, "context": CONTEXT, "variant": fastest,
           "entering": entering, **pairs.summary(kept), "pairs": len(kept), "discarded": discarded,
           "shared": pairs.shared_core(kept, ceilings), "bar": FACTOR, "each": kept, "peak": max(ours.peaks),
           "peer_peak": max(variants[fastest].peaks), "peer_peaks": {name: max(side.peaks) for name, side in variants.items()}}
    row["met"] = len(kept) == o.pairs and row["ratio"] <= FACTOR and row["peak"] <= row["peer_peak"]
    pairs.save("first-token", row["model"], row)
    print(report.first_token_row(row), flush=True)
    return row["met"]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", default="", help=f"only these, separated by commas: {', '.join(pairs.DENSE)}")
    pairs.add_options(options)
    o = options.parse_args()
    good = True
    print(report.FIRST_TOKEN_HEAD, flush=True)
    with peer.scratch() as folder:
        for name in pairs.names(o.models, pairs.DENSE):
            good = measure(pairs.model(name), o, folder) and good
    if o.write:
        report.write(o.write)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
