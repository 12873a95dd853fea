#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Asks TinyLlama for the capital of France through its own chat template, which must be answered with Paris, and compares
how that template lays conversations out with llama.cpp's reading of it. The peer's own answer is printed for
information only: it computes with other roundings.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import peer

QUESTION, WANTED = "What is the capital of France?", "Paris"


def user(text):
    return {"role": "user", "content": text}


CONVERSATIONS = {
    "one question": [user(QUESTION)],
    "with a system message": [{"role": "system", "content": "Answer in one word."}, user(QUESTION)],
    "a second question": [user("Hello"), {"role": "assistant", "content": "Hello. How are you?"}, user("Fine.\n\nAnd you?")],
    "spaces, quotes and letters": [user('  "é" & <b>你好</b> 😀 \\n {{ x }} {% y %}\t')],
}


def ours(model, messages):
    """Returns the prompt that `gguf template` renders."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "messages.json")
        path.write_text(json.dumps(messages), encoding="utf-8")
        return peer.gguf("template", model, "--messages", path).decode("utf-8")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=8441)
    o = options.parse_args()
    model = peer.tinyllama()
    answer = peer.gguf("run", model, "--chat", "--temperature", "0", "-n", "48", "-t", peer.THREADS, "-p", QUESTION).decode("utf-8")
    right = WANTED in answer
    print(f"  {'met   ' if right else 'MISSED'} answer: {answer!r}")
    layouts = {}
    with peer.Server(model, o.port, "-c", "512") as server:
        for name, messages in CONVERSATIONS.items():
            here, there = ours(model, messages), server.ask("/apply-template", {"messages": messages})["prompt"]
            layouts[name] = {"same": here == there, "ours": here, "peer": there}
            print(f"  {'met   ' if here == there else 'MISSED'} layout, {name}" + ("" if here == there else f": {here!r}, the peer {there!r}"))
        body = {"messages": CONVERSATIONS["one question"], "temperature": 0, "max_tokens": 48}
        said = server.ask("/v1/chat/completions", body)["choices"][0]["message"]["content"]
        print(f"  the peer's answer: {said!r}")
    met = right and all(v["same"] for v in layouts.values())
    peer.save("chat", {"model": model.name, "met": met, "answer": answer, "peer_answer": said, "layouts": layouts})
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
