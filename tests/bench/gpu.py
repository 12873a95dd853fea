#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Speed on a GPU: `gguf bench` on the Vulkan back end and, where a llama-bench with Vulkan is named, that program on the same
files, in pairs of fresh processes. Writes build/bench-results/gpu/MODEL-MEASUREMENT.json, and with --write the table of
docs/performance.md. Nothing is judged on a device that is no GPU.

Example, after `./dev build` on the machine with the card:
  tests/bench/gpu.py bench-Q4_0.gguf bench-F16.gguf --peer /opt/llama.cpp/llama-bench --bandwidth 4800 --write docs/performance.md
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import pairs
import peer
import report

# Prompt tokens, generated tokens, depth.
MEASUREMENTS = {"prefill-512": (512, 0, 0), "decode-128": (0, 128, 0), "prefill-512-depth-4096": (512, 0, 4096),
                "decode-128-depth-4096": (0, 128, 4096)}
BARS = {"prefill": 1.0, "decode": 1.2}


def device(wanted):
    """Returns the facts of the device that is used: the named one, or the first GPU, or the first of all."""
    for backend in json.loads(peer.gguf("backends", "--json"))["backends"]:
        found = [d for d in backend["devices"] if not wanted or d["id"] == wanted] if backend["id"] == "vulkan" else []
        if found:
            return min(found, key=lambda d: ("discrete" not in json.dumps(d), "integrated" not in json.dumps(d)))
    raise SystemExit("there is no Vulkan device" + (f" {wanted}" if wanted else ""))


def ours(model, measurement, chosen):
    prompt, generate, depth = MEASUREMENTS[measurement]
    said = json.loads(peer.gguf("bench", model, "--backend", "vulkan", "--device", chosen["id"], "-p", prompt, "-n", generate, "-d", depth, "-r", 1,
                                "--first-token-runs", 0, "--json"))
    return said["prompt" if prompt else "generation"]["tokens_per_second"]["median"], said


def theirs(program, model, measurement):
    prompt, generate, depth = MEASUREMENTS[measurement]
    said = subprocess.run([program, "-m", model, "-ngl", "99", "-p", str(prompt), "-n", str(generate), "-d", str(depth), "-r", "1", "-fa", "1", "-o", "json"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return json.loads(said.stdout)[0]["avg_ts"]


def measure(o, model, measurement, chosen):
    kept = []
    for _ in range(o.pairs):
        own, said = ours(model, measurement, chosen)
        kept.append((own, theirs(o.peer, model, measurement) if o.peer else None))
    rate = median(own for own, _ in kept)
    row = {"model": Path(model).stem, "measurement": measurement, "device": chosen["name"], "ours": rate, "pairs": len(kept), "load_ms": said["load_ms"],
           "tier": said["load_report"].get("tier")}
    if measurement.startswith("decode"):
        row["read_bytes_per_second"] = rate * said["weight_bytes"]
        row["share"] = row["read_bytes_per_second"] / (o.bandwidth * 1e9) if o.bandwidth else None
    if o.peer:
        ratios = [own / other for own, other in kept]
        row |= {"peer": median(other for _, other in kept), "ratio": median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
                "bar": BARS[measurement.split("-")[0]]}
        row["met"] = row["ratio"] >= row["bar"]
    pairs.save("gpu", f"{row['model']}-{measurement}", row)
    print(report.gpu_row(row), flush=True)
    return row.get("met", True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("models", nargs="+", metavar="MODEL", help="model files")
    options.add_argument("--device", default="", help="id of the device, as `gguf backends` tells it")
    options.add_argument("--peer", metavar="PROGRAM", help="a llama-bench with a Vulkan back end")
    options.add_argument("--bandwidth", type=float, metavar="GB/S", help="the card's memory bandwidth, for the share of it")
    options.add_argument("--measurements", help="only these, separated by commas: " + ", ".join(MEASUREMENTS))
    options.add_argument("--pairs", type=int, default=5, help="of fresh processes (default: 5)")
    options.add_argument("--write", metavar="DOCUMENT", help="also bring the table in this document up to date")
    o = options.parse_args()
    chosen = device(o.device)
    print(report.GPU_HEAD)
    good = True
    for model in o.models:
        for measurement in pairs.names(o.measurements, MEASUREMENTS):
            good = measure(o, model, measurement, chosen) and good
    if o.write:
        report.write(o.write)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
