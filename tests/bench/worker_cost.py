#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""What it costs to run a model in a worker, sandbox included: processor seconds per token of all processes, and the
time to the first token, next to the same in one process. Interleaved pairs of fresh processes, one thread.
worker_cost.py GGUF MODEL [--pairs 15] [--tokens 200]"""

import argparse
import os
import statistics
import subprocess
import time

PROMPT = "Once upon a time there was a machine that could"


def run(program, model, tokens, in_process):
    """(processor seconds of it and of what it started, seconds until the first byte)"""
    words = [program, "run", model, "-p", PROMPT, "-n", str(tokens), "-t", "1", "--ignore-eos", "--temperature", "0"]
    if in_process:
        words.append("--in-process")
    start = time.perf_counter()
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    child.stdout.read(1)
    first = time.perf_counter() - start
    child.stdout.read()
    # Those that it waited for are counted too, as its worker.
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, words
    return usage.ru_utime + usage.ru_stime, first


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=200)
    options = parser.parse_args()
    run(options.program, options.model, 2, True)
    ratios, later, plain = [], [], []
    for pair in range(options.pairs):
        order = (True, False) if pair % 2 == 0 else (False, True)
        took = {in_process: run(options.program, options.model, options.tokens, in_process) for in_process in order}
        ratios.append(took[False][0] / took[True][0])
        later.append(1e3 * (took[False][1] - took[True][1]))
        plain.append(1e3 * took[True][0] / options.tokens)
    print(f"{100 * (statistics.median(ratios) - 1):+.2f} % processor time per token (median of {options.pairs} pairs, "
          f"{100 * (min(ratios) - 1):+.1f} to {100 * (max(ratios) - 1):+.1f}; {statistics.median(plain):.3f} ms in one "
          f"process); first token {statistics.median(later):+.1f} ms ({min(later):+.1f} to {max(later):+.1f})")


if __name__ == "__main__":
    main()
