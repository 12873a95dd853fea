#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""What the worker's sandbox costs: processor seconds per token of one thread, with and without, in interleaved
pairs, and the time to enter it.  sandbox_cost.py BUILD MODEL [--pairs 15] [--tokens 400]"""

import argparse
import statistics
import subprocess


def run(probe, *words):
    # Through a pipe: the sandbox lets nothing be written to a file.
    done = subprocess.run([probe, *words], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("model")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=400)
    options = parser.parse_args()
    probe = f"{options.build}/tests/sandbox_probe"
    work = ("measure", options.model, str(options.tokens))
    for profile in ("cpu", "gpu"):
        ratios, plain = [], []
        for pair in range(options.pairs):
            names = ["none", profile] if pair % 2 == 0 else [profile, "none"]
            seconds = {name: run(probe, "--profile", name, *work) for name in names}
            ratios.append(seconds[profile] / seconds["none"])
            plain.append(seconds["none"] / options.tokens)
        enter = [run(probe, "--profile", profile, "time-to-enter") for _ in range(options.pairs)]
        print(f"{profile}: {100 * (statistics.median(ratios) - 1):+.2f} % processor time per token "
              f"(median of {options.pairs} pairs, {100 * (min(ratios) - 1):+.1f} to {100 * (max(ratios) - 1):+.1f}; "
              f"{1e3 * statistics.median(plain):.3f} ms without), entered in {statistics.median(enter):.2f} ms")


if __name__ == "__main__":
    main()
