# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""What the measurements against llama.cpp share: models, probes of the machine, pairs of fresh processes, results.

A pair is one process of ours and one of the peer's, one after the other, with a probe of the machine before, between and
after them: `gguf bench --ceilings --quick`. Two virtual processors are two cores in one moment and share one in the
next, so a pair during which the int8 ceiling at its number of threads moved by more than LIMIT is not counted and done again.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peer"))
import peer  # noqa: E402

HERE = Path(__file__).resolve().parent
RESULTS = peer.REPOSITORY / "build" / "bench-results"
MODELS = Path(os.environ.get("BENCH_MODELS", peer.REPOSITORY / "build" / "bench-models"))
# By how much the largest probe of an undisturbed pair may exceed the smallest.
LIMIT = 0.12
DENSE = ("Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS", "F16")
EXPERTS = ("moe-Q4_0", "moe-Q4_K_M")


def model(name):
    """Returns the path of a benchmark model, made now if it is not there."""
    path = MODELS / (f"{name}.gguf" if name.startswith("moe-") else f"bench-{name}.gguf")
    if not path.exists():
        make(path, name)
    read_afresh(path)
    return path


def make(path, name):
    print(f"making {path}", file=sys.stderr, flush=True)
    if name.startswith("moe-"):
        make_experts(name.removeprefix("moe-"))
    else:
        peer.call([peer.SHARED / "peer" / "bench-models", MODELS, *([] if name == "F16" else [name])])


def read_afresh(path):
    """Empties the page cache of a model and fills it through `gguf`, whose mapping asks for large pages.

    Pages keep the size with which they were first read. Both sides then read the same ones.
    """
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    peer.gguf("bench", path, "-p", "0", "-n", "2", "-r", "1", "--no-warm-up", "--first-token-runs", "0")


def make_experts(kind):
    MODELS.mkdir(parents=True, exist_ok=True)
    source = MODELS / "moe-F16.gguf"
    if not source.exists():
        peer.call([sys.executable, HERE / "make_moe_model.py", peer.SHARED / "vocab" / "ggml-vocab-llama-spm.gguf", source])
    if kind != "F16":
        peer.peer(MODELS, "llama-quantize", source, f"/out/moe-{kind}.part", kind, peer.THREADS)
        os.replace(MODELS / f"moe-{kind}.part", MODELS / f"moe-{kind}.gguf")


def avx2_peer():
    """Makes the peer run its AVX2 variant: from here on, its root is a copy (of hard links) without the others."""
    root = peer_root()
    copy = root.with_name(root.name + "-avx2")
    ready = copy / ".ready"
    if not ready.exists():
        peer.peer_version()
        shutil.rmtree(copy, ignore_errors=True)
        # The mark of readiness is a file of its own, and the last one.
        subprocess.run(["cp", "-al", str(root), str(copy)], check=True)
        mark = ready.read_text(encoding="utf-8")
        ready.unlink()
        for variant in copy.glob("usr/lib/*/ggml/*/libggml-cpu-*.so"):
            if variant.name != "libggml-cpu-haswell.so":
                variant.unlink()
        ready.write_text(mark, encoding="utf-8")
    os.environ["PEER_ROOT"] = str(copy)
    said = subprocess.run([str(peer.PEER), "llama-bench", "--help"], env={**os.environ, "PEER_OUT": "/tmp"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
    if b"libggml-cpu-haswell.so" not in said:
        raise SystemExit(f"the peer in {copy} does not load its AVX2 variant")


def peer_root():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("PEER_ROOT") or os.path.join(cache, "peer-sid"))


class Ceilings:
    """The best of every figure that was seen at one number of threads; a disturbance only ever makes one smaller."""

    def __init__(self, threads):
        self.threads = threads
        self.best = {}

    def add(self, figures):
        for key, value in figures.items():
            if isinstance(value, float):
                self.best[key] = max(value, self.best.get(key, 0.0))

    def probe(self):
        """Returns the momentary int8 throughput."""
        now = json.loads(peer.gguf("bench", "--ceilings", "--quick", "-t", self.threads, "--json"))["ceilings"]
        self.add(now)
        return now["int8_ops_per_second"]

    def wait(self, patience):
        """Waits until the machine is about as fast as it has been, but not longer than that many seconds."""
        end = time.monotonic() + patience
        while True:
            now = self.probe()
            if now * (1 + LIMIT) >= self.best["int8_ops_per_second"] or time.monotonic() >= end:
                return now
            time.sleep(0.5)


def run(pairs, tries, patience, ceilings, ours, theirs):
    """Returns `pairs` undisturbed pairs and how many were discarded; gives up, with what there is, after `tries` for each.

    `ours` and `theirs` each start one process and return its figure.
    """
    kept, discarded, probes = [], 0, []
    while len(kept) < pairs and len(kept) + discarded < pairs * tries:
        probes = [ceilings.wait(patience)]
        here = ours()
        probes.append(ceilings.probe())
        there = theirs()
        probes.append(ceilings.probe())
        if max(probes) > (1 + LIMIT) * min(probes):
            discarded += 1
            continue
        kept.append({"ours": here, "peer": there, "int8_ops_per_second": min(probes)})
    return kept, discarded


def summary(kept):
    """Returns median and spread of the ratios of the pairs, and the medians of both sides."""
    ratios = [pair["ours"] / pair["peer"] for pair in kept]
    return {"ratio": median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
            "ours": median(p["ours"] for p in kept), "peer": median(p["peer"] for p in kept)}


def shared_core(kept, ceilings):
    """Returns how many pairs ran at a clearly lower ceiling than the machine has: as a rule, on one shared core."""
    return sum(p["int8_ops_per_second"] * (1 + LIMIT) < ceilings.best["int8_ops_per_second"] for p in kept)


def add_options(options):
    options.add_argument("--pairs", type=int, default=5, help="undisturbed pairs of each measurement (default: 5)")
    options.add_argument("--tries", type=int, default=4, help="pairs to run at most for each of them (default: 4)")
    options.add_argument("--patience", type=float, default=20, help="seconds to wait for an undisturbed machine (default: 20)")
    options.add_argument("--write", type=Path, metavar="DOCUMENT", help="also bring the tables in this document up to date")


def names(text, known):
    """Returns the comma-separated names, all of them known."""
    wanted = text.split(",") if text else list(known)
    unknown = [n for n in wanted if n not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known are {', '.join(known)}")
    return wanted


def save(kind, name, document):
    """Writes one result to build/bench-results/KIND/NAME.json."""
    folder = RESULTS / kind
    folder.mkdir(parents=True, exist_ok=True)
    head = {"date": time.strftime("%Y-%m-%d %H:%M"), "peer_version": peer.peer_version(), "processor": processor()}
    part = folder / f"{name}.part"
    part.write_text(json.dumps({**head, **document}, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, folder / f"{name}.json")


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def prompt_of(path, tokens):
    """Returns a text that the model reads as exactly that many tokens."""
    words, text, count = ("the old river runs past a quiet town and its mill " * tokens).split(), "", 0
    while count < tokens:
        step = max((tokens - count) // 2, 1)
        text = " ".join(words[:len(text.split()) + step])
        count = len(peer.tokens_of_ours(path, text))
    while count > tokens:
        text = text.rsplit(" ", 1)[0]
        count = len(peer.tokens_of_ours(path, text))
    if count != tokens:
        raise SystemExit(f"no text of {tokens} tokens was found")
    return text
