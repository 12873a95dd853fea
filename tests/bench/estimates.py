#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Estimated memory against measured: `gguf estimate` and the peak of resident memory (VmHWM) of a `gguf run` that fills its
context. What is expected: docs/estimates.md. Ends with status 1 when an estimate is out of bounds, when a verdict would
have said "fits" for memory that the run exceeded, or when an estimate takes longer than 50 ms.

usage: estimates.py MODEL... [--contexts 512,2048,8192] [--kv f16,q8_0] [--gguf build/bin/gguf] [--into DOCUMENT]

Results are kept in build/bench-results/estimates; --into puts all of them into the document, and needs no MODEL.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import pairs
import report

ROOT = Path(__file__).resolve().parents[2]
RESULTS = pairs.RESULTS / "estimates"
MIB = 1 << 20
# Files from here on are large: the first pair of bounds; below it the second. Bytes, share of the measured peak.
LARGE_FILE = 600_000_000
BOUNDS = {True: (100 * MIB, 0.03), False: (16 * MIB, 0.10)}
GENERATED = 8
# The prompt may be so much shorter than what is left of the context: a text cannot be cut to any number of tokens.
SLACK = 24
ANSWER_MS = 50
# A process begins with the peak of the one that started it, so a small one must: prints the status and the peak in KiB of what it ran.
STARTER = """import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
os.write(2, b"%d %d" % (os.waitstatus_to_exitcode(status), usage.ru_maxrss))"""


def gguf(arguments, command, text=b""):
    done = subprocess.run([arguments.gguf, *command], input=text, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"gguf {' '.join(command)} ended with status {done.returncode}: {done.stdout.decode()[:400]}")
    return done.stdout


def long_text():
    """Ordinary text, long enough for any context: the documents of this repository, again and again."""
    parts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md"))]
    return ("\n".join(parts) * 4).encode("ascii", "ignore")


def prompt_of(arguments, model, tokens):
    """A text of at most so many tokens, and of hardly fewer."""
    text = long_text()
    low, high = 0, min(len(text), tokens * 12)
    while high - low > 8:
        middle = (low + high) // 2
        count = len(gguf(arguments, ["tokenize", model], text[:middle]).split())
        low, high = (middle, high) if count <= tokens else (low, middle)
    return text[:low]


def peak_of(arguments, model, context, kv, prompt):
    """Bytes of the largest process of a run whose context is full at its end."""
    command = [arguments.gguf, "run", model, "-c", str(context), "--kv", kv, "-n", str(GENERATED), "--ignore-eos", "--temperature", "0", "--json", "--no-config"]
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out:
        source.write(prompt)
        source.seek(0)
        starter = subprocess.run([sys.executable, "-I", "-S", "-c", STARTER, *command], stdin=source, stdout=out, stderr=subprocess.PIPE, check=True)
        status, peak = map(int, starter.stderr.split()[-2:])
        out.seek(0)
        lines = out.read().splitlines()
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {status}: {lines[-1:]}")
    last = json.loads(lines[-1])
    filled = last["prompt_tokens"] + last["tokens"]
    if filled < context - GENERATED - SLACK:
        raise SystemExit(f"{model}: only {filled} of {context} tokens were in the context")
    return peak * 1024, filled


def answer_ms(arguments, model):
    """The median time from the start of the process to its end."""
    times = []
    for _ in range(11):
        start = time.monotonic()
        gguf(arguments, ["estimate", model, "--no-config", "--json"])
        times.append((time.monotonic() - start) * 1000)
    return median(times)


def measure(arguments, model, context, kv, prompt):
    estimate = json.loads(gguf(arguments, ["estimate", model, "-c", str(context), "--kv", kv, "--no-config", "--json"]))
    peak, filled = peak_of(arguments, model, context, kv, prompt)
    size = os.path.getsize(model)
    least, share = BOUNDS[size > LARGE_FILE]
    bound = max(least, peak * share)
    # The smallest memory with which the verdict is "fits" is the estimate and the margin.
    margin = estimate["margins"]["system"]["least_bytes"]
    total = estimate["total_bytes"]
    return {
        "model": Path(model).stem, "bytes": size, "context": context, "filled": filled, "kv": kv, "parts": estimate["parts"],
        "estimated": total, "measured": peak, "bound": bound, "met": abs(total - peak) <= bound, "false_fit": total + margin < peak,
    }


def mib(value):
    return f"{value / MIB:.1f}"


def row_text(row):
    parts = row["parts"]
    return report.line(row["model"], row["context"], row["kv"], *(mib(parts[p]) for p in ("weights", "kv", "compute", "output", "worker")),
                       mib(row["estimated"]), mib(row["measured"]), f"{(row['estimated'] - row['measured']) / MIB:+.1f}", mib(row["bound"]),
                       report.verdict(row))


HEAD = report.head("model", "context", "KV", "weights", "KV cache", "compute", "output", "worker", "estimated", "measured", "off by", "bound", "met")


def table(rows):
    rows = sorted(rows, key=lambda row: (-row["bytes"], row["model"], row["context"], row["kv"]))
    return "\n".join([HEAD] + [row_text(row) for row in rows])


def saved():
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]


def into_document(path):
    text = path.read_text(encoding="utf-8")
    begin, end = "<!-- table estimates -->", "<!-- end estimates -->"
    before, rest = text.split(begin)
    path.write_text(before + begin + "\n\n" + table(saved()) + "\n\n" + end + rest.split(end)[1], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--contexts", default="512,2048,8192")
    parser.add_argument("--kv", default="f16,q8_0")
    parser.add_argument("--gguf", default=str(ROOT / "build" / "bin" / "gguf"))
    parser.add_argument("--into", type=Path)
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    failed = False
    for model in arguments.models:
        milliseconds = answer_ms(arguments, model)
        failed |= milliseconds > ANSWER_MS
        print(f"{model}: answered in {milliseconds:.1f} ms{' (too slow)' if milliseconds > ANSWER_MS else ''}")
        for context in map(int, arguments.contexts.split(",")):
            prompt = prompt_of(arguments, model, context - GENERATED)
            for kv in arguments.kv.split(","):
                row = measure(arguments, model, context, kv, prompt)
                failed |= not row["met"] or row["false_fit"]
                name = f"{row['model']}-{context}-{kv}.json"
                (RESULTS / name).write_text(json.dumps(row), encoding="utf-8")
                print(row_text(row) + (" FALSE FIT" if row["false_fit"] else ""), flush=True)
    if arguments.into:
        into_document(arguments.into)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
