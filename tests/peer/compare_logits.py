#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Compares logits of the last position of each prompt: our `reference` and `cpu`, llama.cpp on the quantised file and on
its weights as F32. Everything has an F32 KV cache, llama.cpp no flash attention.

The distance of two rows is 1 - cosine. What must hold:
  tokens   both sides read the same token ids;
  agrees   reference and llama.cpp on F32: cosine of at least 0.99999 for every prompt;
  nearer   cpu is no farther from reference than 1.5 times what quantised llama.cpp is from its own F32 run, nor 1.5 times
           what it is from reference; in the mean and in the median over the prompts, by distance and by RMS difference;
  top      the same likeliest token, reference against llama.cpp on F32 and cpu against reference, wherever the
           either of the first pair, or reference in the second, leads its runner-up by more than 0.1.
"""

import argparse
import sys
from pathlib import Path
from statistics import mean, median

import peer

AGREES, FACTOR, MARGIN = 1e-5, 1.5, 0.1


def measure(model, exact, text, folder):
    """Returns one row of the table."""
    ours = {b: peer.logits_of_ours(model, text, b, folder) for b in ("reference", "cpu")}
    quantised, read = peer.logits_of_peer(model, text, folder)
    full, read_again = peer.logits_of_peer(exact, text, folder)
    pairs = {"reference_f32": (ours["reference"], full), "cpu_reference": (ours["cpu"], ours["reference"]),
             "quantised_f32": (quantised, full), "quantised_reference": (quantised, ours["reference"]),
             "cpu_f32": (ours["cpu"], full)}
    tops = {"reference": peer.top(ours["reference"]), "cpu": peer.top(ours["cpu"]), "peer": peer.top(quantised), "f32": peer.top(full)}
    sure = tops["reference"][1] > MARGIN
    return {
        "prompt": text, "tokens": len(read),
        "same_tokens": peer.tokens_of_ours(model, text, "--no-special") == read == read_again,
        "distance": {k: peer.distance(*v) for k, v in pairs.items()},
        "rms": {k: peer.rms(*v) for k, v in pairs.items()},
        "top": {k: v[0] for k, v in tops.items()}, "margin": {k: v[1] for k, v in tops.items()},
        "same_top_f32": tops["reference"][0] == tops["f32"][0] or not (sure or tops["f32"][1] > MARGIN),
        "same_top_cpu": tops["reference"][0] == tops["cpu"][0] or not sure,
    }


def judge(rows):
    """Returns each bar's name, whether it is met, and the figure behind it."""
    worst = max(r["distance"]["reference_f32"] for r in rows)
    bars = {"tokens": (all(r["same_tokens"] for r in rows), f"{sum(r['same_tokens'] for r in rows)} of {len(rows)} prompts"),
            "agrees": (worst <= AGREES, f"worst cosine 1 - {worst:.2e}"),
            "top f32": (all(r["same_top_f32"] for r in rows), f"{sum(r['same_top_f32'] for r in rows)} of {len(rows)} prompts"),
            "top cpu": (all(r["same_top_cpu"] for r in rows), f"{sum(r['same_top_cpu'] for r in rows)} of {len(rows)} prompts")}
    for kind in ("distance", "rms"):
        for name, average in (("mean", mean), ("median", median)):
            near = average([r[kind]["cpu_reference"] for r in rows])
            far = {k: average([r[kind][k] for r in rows]) for k in ("quantised_f32", "quantised_reference")}
            limit = FACTOR * min(far.values())
            text = f"{near:.3e} against {far['quantised_f32']:.3e} and {far['quantised_reference']:.3e}"
            bars[f"nearer, {name} {kind}"] = (near <= limit, text)
    return bars


def heading():
    print(f"{'tokens':>6} {'reference':>10} {'cpu':>10} {'quantised':>10} {'cpu':>9} {'quantised':>9} {'margin':>7}  prompt")
    print(f"{'':>6} {'- F32':>10} {'- ref.':>10} {'- F32':>10} {'rms':>9} {'rms':>9}", flush=True)


def show(r):
    d, e = r["distance"], r["rms"]
    names = {"same_tokens": "ids", "same_top_f32": "top of F32", "same_top_cpu": "top of cpu"}
    flags = "".join(f" [{name} differs]" for key, name in names.items() if not r[key])
    print(f"{r['tokens']:6} {d['reference_f32']:10.2e} {d['cpu_reference']:10.2e} {d['quantised_f32']:10.2e} "
          f"{e['cpu_reference']:9.2e} {e['quantised_f32']:9.2e} {r['margin']['reference']:7.3f}  {r['prompt'][:40]!r}{flags}", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--prompts", type=Path, required=True, help="one prompt a line")
    options.add_argument("--count", type=int, default=0, help="use only so many of them")
    options.add_argument("models", nargs="+", help="GGUF files, or tinyllama")
    o = options.parse_args()
    prompts = [p for p in o.prompts.read_text(encoding="utf-8").splitlines() if p][:o.count or None]
    good = True
    for name in o.models:
        model = peer.tinyllama() if name == "tinyllama" else Path(name)
        print(f"{model.name}, {len(prompts)} prompts; 1 - cosine, and RMS difference of the logits", flush=True)
        with peer.scratch() as folder:
            exact = peer.dequantise(model, folder)
            heading()
            rows = []
            for prompt in prompts:
                rows.append(measure(model, exact, prompt, folder))
                show(rows[-1])
        bars = judge(rows)
        for bar, (met, figure) in bars.items():
            print(f"  {'met   ' if met else 'MISSED'} {bar}: {figure}")
            good = good and met
        print(flush=True)
        peer.save(f"logits-{model.stem}", {"model": model.name, "met": all(m for m, _ in bars.values()),
                                           "bars": {k: {"met": m, "figure": f} for k, (m, f) in bars.items()}, "prompts": rows})
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
