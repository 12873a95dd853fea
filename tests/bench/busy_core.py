#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Decode speed while another program keeps one of two processors busy, as a part of the undisturbed speed: ours and, for
comparison, llama.cpp's. Undisturbed and disturbed runs alternate; the two medians are compared.

Bar: ours keeps at least 40 %.
"""

import argparse
import os
import subprocess
import sys
from statistics import median

import compare
import pairs
import peer
import report

KEPT = 0.4
MEASUREMENT = compare.Measurement(2, generate=64)


class BusyLoop:
    """A loop that never sleeps, on one processor, for as long as the `with` lasts."""

    def __init__(self, processor):
        self._processor = processor

    def __enter__(self):
        # It says that it runs before it is counted on.
        program = "import os\nos.sched_setaffinity(0, {%d})\nprint(flush=True)\nwhile True:\n    pass" % self._processor
        self._process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        self._process.stdout.readline()
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def speeds(runs, processor, once):
    """Returns the undisturbed and the disturbed figures of as many runs each."""
    free, busy = [], []
    for _ in range(runs):
        free.append(once())
        with BusyLoop(processor):
            busy.append(once())
    return free, busy


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="Q4_0", choices=pairs.DENSE)
    options.add_argument("--runs", type=int, default=10, help="runs of each kind (default: 10)")
    options.add_argument("--write", metavar="DOCUMENT", help="also bring the tables in this document up to date")
    o = options.parse_args()
    path, ceilings = pairs.model(o.model), pairs.Ceilings(MEASUREMENT.threads)
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        raise SystemExit("this needs two processors")
    ceilings.probe()
    with peer.scratch() as folder:
        flash = max(("0", "1"), key=lambda f: compare.theirs(path, MEASUREMENT, f, folder))
        sides = {"ours": lambda: compare.ours(path, MEASUREMENT, "", ceilings, {}),
                 "peer": lambda: compare.theirs(path, MEASUREMENT, flash, folder)}
        result = {}
        for name, once in sides.items():
            free, busy = speeds(o.runs, processors[-1], once)
            result[name] = {"free": median(free), "busy": median(busy), "kept": median(busy) / median(free), "least": min(busy) / median(free),
                            "each_free": free, "each_busy": busy}
    ceilings.probe()
    met = result["ours"]["kept"] >= KEPT
    row = {"model": o.model, "runs": o.runs, "bar": KEPT, "met": met, "ceilings": ceilings.best, **result}
    pairs.save("busy-core", o.model, row)
    print(report.BUSY_CORE_HEAD)
    for line in report.busy_core_rows(row):
        print(line)
    if o.write:
        report.write(o.write)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
