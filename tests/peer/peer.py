# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""What the comparisons share: how to run llama.cpp and `gguf`, and how far apart two rows of logits are."""

import array
import contextlib
import datetime
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from operator import mul
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "build" / "peer"
SHARED = Path(os.environ.get("LOADER_SHARED_DIR", REPOSITORY.parent / "shared")).resolve()
GGUF = os.environ.get("LOADER_GGUF", str(REPOSITORY / "build" / "bin" / "gguf"))
PEER = SHARED / "peer" / "llama"
THREADS = os.environ.get("THREADS", "2")

# So that scratch files and servers also go when this program is asked to end.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def call(command, **options):
    """Runs a command and returns its standard output as bytes; its failure ends this program with what it said."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)
    if done.returncode != 0:
        said = (done.stderr + done.stdout).decode("utf-8", "replace").strip().splitlines()[-8:]
        raise SystemExit("\n".join([f"{command[0]} {command[1]} ended with status {done.returncode}:", *said]))
    return done.stdout


# Commands whose results the user's settings would change.
SET_BY_USERS = {"run", "chat", "bench", "estimate", "recommend", "logits", "perplexity"}


def gguf(*arguments, **options):
    free = ["--no-config"] if arguments[0] in SET_BY_USERS else []
    return call([GGUF, *arguments, *free], **options)


def peer(out, *arguments):
    """Runs one of llama.cpp's programs; what it writes under /out lands in the folder `out`."""
    return call([PEER, *arguments], env={**os.environ, "PEER_OUT": str(out)})


def peer_version():
    """Returns the names and versions of the Debian packages that hold the peer, and prepares it if need be."""
    with tempfile.TemporaryDirectory() as out:
        peer(out, "llama-debug", "--version")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    ready = Path(os.environ.get("PEER_ROOT") or os.path.join(cache, "peer-sid"), ".ready")
    return ", ".join(ready.read_text(encoding="utf-8").splitlines()) if ready.exists() else "unknown"


def tinyllama():
    """Returns the path of TinyLlama-1.1B-Chat in IQ2_XXS, fetched when it is not there yet (323 MB)."""
    folder = Path(os.environ.get("PEER_MODELS", RESULTS / "models"))
    call([SHARED / "peer" / "tinyllama", folder])
    return folder / "tinyllama-1.1b-chat-iq2_xxs.gguf"


@contextlib.contextmanager
def scratch():
    """Gives a folder of its own that is gone afterwards; dequantised models are large."""
    folder = tempfile.mkdtemp(prefix="loader-peer-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


def dequantise(model, folder):
    """Makes llama.cpp write the model's own weights as F32, and checks that every tensor is."""
    room, needed = shutil.disk_usage(folder).free, 20 * os.path.getsize(model)
    if room < needed:
        raise SystemExit(f"{folder} has {room >> 20} MiB of room; the F32 copy of {model} may need {needed >> 20}.")
    target = folder / (Path(model).stem + "-F32.gguf")
    peer(folder, "llama-quantize", "--allow-requantize", model, f"/out/{target.name}", "F32", THREADS)
    # `tensors` is the list of the file's tensors, each with its type.
    listed = json.loads(gguf("inspect", target, "--tensors", "--json"))["tensors"]
    others = sorted({t["type"] for t in listed} - {"F32"})
    if not listed or others:
        raise SystemExit(f"{target} is not all F32: {others}")
    return target


def logits_of_peer(model, text, folder):
    """Returns llama.cpp's logits of the last position, and the token ids it read."""
    peer(folder, "llama-debug", "-m", model, "-p", text, "--no-escape", "--save-logits", "--logits-output-dir", "/out",
         "-ngl", "0", "-fa", "off", "-ctk", "f32", "-ctv", "f32", "-t", THREADS)
    stem = folder / f"llamacpp-{Path(model).stem}"
    logits, tokens = floats(f"{stem}.bin"), array.array("i", Path(f"{stem}-tokens.bin").read_bytes())
    for path in folder.glob(f"{stem.name}*"):
        if path.suffix != ".gguf":
            path.unlink()
    return logits, list(tokens)


def logits_of_ours(model, text, backend, folder):
    """Returns our logits of the last position on one back end."""
    out = folder / f"ours-{backend}.bin"
    gguf("logits", model, "-p", text, "--out", out, "--backend", backend, "--kv", "f32", "-t", THREADS, "--in-process")
    return floats(out)


def tokens_of_ours(model, text, *options):
    return [int(t) for t in gguf("tokenize", model, *options, input=text.encode("utf-8")).split()]


def floats(path):
    values = array.array("f", Path(path).read_bytes())
    if sys.byteorder == "big":
        values.byteswap()
    return values


def distance(a, b):
    """Returns 1 - cosine of two rows. It is computed from the difference of the unit vectors, so that tiny ones keep their digits."""
    if len(a) != len(b):
        raise SystemExit(f"the two sides have {len(a)} and {len(b)} logits")
    if not all(map(math.isfinite, a)) or not all(map(math.isfinite, b)):
        return math.inf
    x, y = math.sqrt(sum(map(mul, a, a))), math.sqrt(sum(map(mul, b, b)))
    return math.fsum((p / x - q / y) ** 2 for p, q in zip(a, b)) / 2 if x and y else math.inf


def rms(a, b):
    """Returns the root mean square of the difference of two rows."""
    return math.sqrt(math.fsum((p - q) ** 2 for p, q in zip(a, b)) / len(a))


def top(row):
    """Returns the likeliest token and by how much it leads the second."""
    best = max(range(len(row)), key=row.__getitem__)
    return best, row[best] - max(v for i, v in enumerate(row) if i != best)


class Server:
    """llama.cpp's server on one model, on the processor, for as long as the `with` lasts."""

    def __init__(self, model, port, *options):
        self._port = port
        self._folder = tempfile.TemporaryDirectory()
        command = [str(PEER), "llama-server", "-m", str(model), "--port", str(port), "-ngl", "0", "-t", THREADS, "-np", "1", "--jinja", *options]
        self._log = open(Path(self._folder.name, "server.log"), "w+b")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env={**os.environ, "PEER_OUT": self._folder.name})

    def __enter__(self):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if self._process.poll() is not None:
                self._log.seek(0)
                raise SystemExit("llama-server ended: " + self._log.read()[-600:].decode("utf-8", "replace"))
            with contextlib.suppress(OSError, ValueError):
                if self.ask("/health").get("status") == "ok":
                    return self
            time.sleep(0.2)
        self.__exit__()
        raise SystemExit("llama-server did not get ready within two minutes")

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def ask(self, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", json.dumps(body).encode() if body is not None else None,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as reply:
            return json.load(reply)


def save(name, document):
    """Writes one result to build/peer/NAME.json, with date and versions."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    head = {"date": datetime.date.today().isoformat(), "peer": peer_version(), "threads": int(THREADS)}
    with open(RESULTS / f"{name}.json", "w", encoding="utf-8") as out:
        json.dump({**head, **document}, out, indent=1, ensure_ascii=False)
        out.write("\n")
