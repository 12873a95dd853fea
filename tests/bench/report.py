#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Tables from the results in build/bench-results, and their places in a document.

usage: report.py [DOCUMENT]     prints all tables, or puts each between its marks `<!-- table NAME -->` and `<!-- end NAME -->`
"""

import json
import math
import os
import re
import sys
from pathlib import Path

import pairs


def rows_of(kind):
    """Returns the saved results of one kind, oldest first."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((pairs.RESULTS / kind).glob("*.json"), key=lambda p: p.stat().st_mtime)]


def line(*cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def head(*cells):
    return "\n".join([line(*cells), line(*["---"] * len(cells))])


def verdict(row):
    return "yes" if row["met"] else "**no**"


def figure(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


SPEED_HEAD = head("model", "measurement", "ours, tokens/s", "peer, tokens/s", "ratio", "spread", "share of the ceiling", "pairs", "bar", "met")


def speed_row(row):
    bar = f"{row['bar']:.2f}" + (f" or {row['bandwidth']:.0%}" if row["bandwidth"] else "")
    counts = f"{row['pairs']}" + (f", {row['discarded']} discarded" if row["discarded"] else "") + (f", {row['shared']} on one core" if row["shared"] else "")
    return line(row["model"], row["measurement"], figure(row["ours"]), f"{figure(row['peer'])} (fa {row['flash']})", f"{row['ratio']:.2f}",
                f"{row['ratio_min']:.2f}–{row['ratio_max']:.2f}", f"{row['share']:.0%} of {ceiling_name(row['ceiling'])}", counts, bar, verdict(row))


def ceiling_name(key):
    return key.split("_")[0]


def geometric_mean(name, key):
    """Returns the geometric mean of the ratios of all saved models of a set; nothing where there is none."""
    ratios = [r["ratio"] for r in rows_of("speed") if r["set"] == name and r["measurement"] == key]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def speed_table(name):
    # Here, because compare.py needs this module first.
    import compare
    chosen = compare.SETS[name]
    models, keys = list(chosen.models), list(chosen.bars)
    rows = [r for r in rows_of("speed") if r["set"] == name and r["model"] in models and r["measurement"] in keys]
    rows.sort(key=lambda r: (keys.index(r["measurement"]), models.index(r["model"])))
    lines = [SPEED_HEAD, *map(speed_row, rows)]
    for key, least in chosen.means.items():
        mean = geometric_mean(name, key)
        if mean is not None:
            lines += ["", f"Geometric mean of {key}: {mean:.2f} (bar: {least:.1f})."]
    return lines if rows else []


def logits_table():
    rows = rows_of("logits")
    return [head("set", "model", "cosine of the logits", "same likeliest token"),
            *(line(r["set"], r["model"], f"{r['cosine']:.5f}", "yes" if r["same_top"] else "no") for r in rows)] if rows else []


FIRST_TOKEN_HEAD = head("model", "ours, ms", "peer, ms", "ratio", "spread", "ours, MiB", "peer, MiB", "peer's smallest, MiB", "pairs", "peer runs", "met")


def first_token_row(row):
    mib = [f"{value / 2**20:.0f}" for value in (row["peak"], row["peer_peak"], min(row["peer_peaks"].values()))]
    return line(row["model"], f"{row['ours'] * 1e3:.0f}", f"{row['peer'] * 1e3:.0f}", f"{row['ratio']:.2f}", f"{row['ratio_min']:.2f}–{row['ratio_max']:.2f}",
                *mib, row["pairs"], row["variant"], verdict(row))


BUSY_CORE_HEAD = head("model", "program", "undisturbed, tokens/s", "with a busy core, tokens/s", "kept", "least of the runs", "bar", "met")


def busy_core_rows(row):
    return [line(row["model"], name, figure(row[name]["free"]), figure(row[name]["busy"]), f"{row[name]['kept']:.0%}", f"{row[name]['least']:.0%}",
                 f"{row['bar']:.0%}" if name == "ours" else "", verdict(row) if name == "ours" else "") for name in ("ours", "peer")]


QUALITY_HEAD = head("model", "scored tokens", "computed", "KL, mean", "KL, largest", "same likeliest token", "peer's KL, mean", "ratio",
                    "perplexity, cpu", "perplexity, reference", "apart", "met")


def quality_row(row):
    ours, peer = row["ours"], row["peer"]
    return line(row["model"], row["tokens"], row["how"] + (f", {row['tier']}" if row["tier"] else ""), f"{ours['kl_mean']:.2e}", f"{ours['kl_max']:.2e}",
                f"{ours['same_top']:.1%}", f"{peer['kl_mean']:.2e}", f"{ours['kl_mean'] / peer['kl_mean']:.2f}" if peer["kl_mean"] else "",
                f"{ours['perplexity']:.4f}", f"{ours['exact_perplexity']:.4f}", f"{row['apart']:.3%}", verdict(row))


GPU_HEAD = head("device", "tier", "model", "measurement", "ours, tokens/s", "peer, tokens/s", "ratio", "spread", "read, GB/s", "share of the bandwidth",
                "load, ms", "pairs", "met")


def gpu_row(row):
    with_peer = "peer" in row
    read, share = row.get("read_bytes_per_second"), row.get("share")
    return line(row["device"], row["tier"], row["model"], row["measurement"], figure(row["ours"]), figure(row["peer"]) if with_peer else "",
                f"{row['ratio']:.2f}" if with_peer else "", f"{row['ratio_min']:.2f}–{row['ratio_max']:.2f}" if with_peer else "",
                f"{read / 1e9:.1f}" if read else "", f"{share:.0%}" if share else "", f"{row['load_ms']:.0f}", row["pairs"],
                verdict(row) if with_peer else "")


def machine_table():
    """Returns the best ceilings of all saved results, for each number of threads, and where and when they were taken."""
    rows = rows_of("speed")
    if not rows:
        return []
    best = {}
    for row in rows:
        figures = best.setdefault(row["threads"], {})
        for key, value in row["ceilings"].items():
            figures[key] = max(value, figures.get(key, 0.0))
    lines = [f"{rows[-1]['processor']}; {rows[-1]['peer_version']}; {min(r['date'] for r in rows)[:10]} to {max(r['date'] for r in rows)[:10]}.", "",
             head("threads", "memory read, GB/s", "int8, G operations/s", "int16, G operations/s", "f32, G operations/s")]
    keys = ("memory_read_bytes_per_second", "int8_ops_per_second", "int16_ops_per_second", "f32_flops_per_second")
    return lines + [line(threads, *(f"{figures.get(k, 0.0) / 1e9:.1f}" for k in keys)) for threads, figures in sorted(best.items())]


def simple_table(kind, heading, lines_of):
    rows = rows_of(kind)
    return [heading, *(text for row in rows for text in lines_of(row))] if rows else []


TABLES = {
    "machine": machine_table,
    "dense": lambda: speed_table("dense"),
    "moe": lambda: speed_table("moe"),
    "avx2": lambda: speed_table("avx2"),
    "logits": logits_table,
    "first-token": lambda: simple_table("first-token", FIRST_TOKEN_HEAD, lambda row: [first_token_row(row)]),
    "busy-core": lambda: simple_table("busy-core", BUSY_CORE_HEAD, busy_core_rows),
    "gpu": lambda: simple_table("gpu", GPU_HEAD, lambda row: [gpu_row(row)]),
    "quality": lambda: simple_table("quality", QUALITY_HEAD, lambda row: [quality_row(row)]),
}


def write(document):
    """Puts every table that has results between its marks; the others stay as they are."""
    path = Path(document)
    text = path.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        lines = table()
        marks = re.compile(rf"(<!-- table {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not lines:
            continue
        if not marks.search(text):
            raise SystemExit(f"{path} has no place for the table {name}")
        body = "\n" + "\n".join(lines) + "\n\n"
        text = marks.sub(lambda match, body=body: match.group(1) + body + match.group(2), text)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def main():
    if len(sys.argv) > 2:
        raise SystemExit(__doc__)
    if len(sys.argv) == 2:
        write(sys.argv[1])
        return
    for name, table in TABLES.items():
        lines = table()
        if lines:
            print(f"## {name}\n", *lines, "", sep="\n")


if __name__ == "__main__":
    main()
