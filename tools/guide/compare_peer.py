# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Asks llama.cpp's server the same questions on the exported file and compares tokens, chat template and greedy answers.

    python3 compare_peer.py --peer "llama-server"

The peer is a command that starts llama.cpp's server; what it needs is appended to it.
"""
import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import torch

import bpe
from data import Data, HERE
from evaluate import ask, load, right


def call(port, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode() if body is not None else None,
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as reply:
        return json.load(reply)


def wait(port, process):
    for _ in range(240):
        if process.poll() is not None:
            raise SystemExit(f"the peer ended with status {process.returncode}")
        try:
            if call(port, "/health").get("status") == "ok":
                return
        except OSError:
            pass
        time.sleep(0.25)
    raise SystemExit("the peer did not get ready")


def written(tokenizer, messages):
    """Writes a conversation out as the chat template must."""
    role = {"system": "<|system|>", "user": "<|ask|>", "assistant": "<|reply|>"}
    return "<|begin|>" + "".join(role[m["role"]] + m["content"].strip() + "<|done|>" for m in messages) + "<|reply|>"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--peer", default="llama-server", help="the command that starts llama.cpp's server")
    options.add_argument("--model", type=Path, default=HERE / "guide.gguf")
    options.add_argument("--data", type=Path, default=HERE / "data")
    options.add_argument("--port", type=int, default=8439)
    options.add_argument("--count", type=int, default=0, help="ask only so many of the questions")
    o = options.parse_args()
    torch.set_num_threads(2)
    model, tokenizer = load(o.model)
    data = Data(o.data)
    questions = [q for q, _ in data.held] + data.off_test
    if o.count:
        questions = questions[::max(1, len(questions) // o.count)]
    ours = ask(model, tokenizer, questions)
    command = [*shlex.split(o.peer), "-m", str(o.model.resolve()), "--port", str(o.port), "-ngl", "0", "-t", "2", "-c", "512", "-np", "1", "--jinja"]
    with open(os.devnull, "w") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
    try:
        wait(o.port, process)
        texts = questions + [r.answer for r in data.records] + ["It's 12:30,\n\n  isn't it?\t-- \u00e4\u00f6\u00fc \u4f60\u597d \U0001f600", "  two  spaces "]
        tokens = sum(call(o.port, "/tokenize", {"content": t, "add_special": True})["tokens"] == tokenizer.encode(t) for t in texts)
        print(f"texts split into the same tokens: {tokens} of {len(texts)}")
        talks = [[{"role": "user", "content": questions[0]}],
                 [{"role": "system", "content": " Answer briefly. "}, {"role": "user", "content": questions[1]}],
                 [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": questions[2]}]]
        templates = sum(call(o.port, "/apply-template", {"messages": m})["prompt"] == written(tokenizer, m) for m in talks)
        print(f"conversations laid out alike by the chat template: {templates} of {len(talks)}")
        same = near = 0
        for question, (answer, margin) in zip(questions, ours):
            body = {"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 120, "cache_prompt": False}
            said = call(o.port, "/v1/chat/completions", body)["choices"][0]["message"]["content"]
            same += said == answer
            near += right(said, answer)
            if said != answer:
                print(f"  {question!r} (our smallest margin {margin:.3f}):\n    ours {answer!r}\n    peer {said!r}")
        print(f"greedy answers the same: {same} of {len(questions)}; the same but for a few words: {near}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    print(json.dumps({"questions": len(questions), "same": same, "near": near, "tokens": tokens / len(texts), "templates": templates / len(talks)}))
    return 0 if same == len(questions) and tokens == len(texts) and templates == len(talks) else 1


if __name__ == "__main__":
    sys.exit(main())
