#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Asks the built-in model the held-out wordings and the questions off the topic, `gguf` and llama.cpp each on the committed
file with its own chat template, greedily; every answer must be the same. A question that is answered differently is
asked again of llama.cpp on the weights as F32, which tells whose rounding it was.
"""

import argparse
import sys

import peer

sys.path.insert(0, str(peer.REPOSITORY / "tools" / "guide"))
from data import Data  # noqa: E402

MODEL = peer.REPOSITORY / "tools" / "guide" / "guide.gguf"


def ours(question):
    return peer.gguf("run", MODEL, "--chat", "--temperature", "0", "-n", "120", "-t", peer.THREADS, "-p", question).decode("utf-8")


def ask(server, question):
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 120, "cache_prompt": False}
    return server.ask("/v1/chat/completions", body)["choices"][0]["message"]["content"]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=8442)
    options.add_argument("--count", type=int, default=0, help="ask only so many of the questions, spread over all")
    o = options.parse_args()
    data = Data()
    questions = [q for q, _ in data.held] + data.off_test
    if o.count:
        questions = questions[::max(1, len(questions) // o.count)]
    answers = {}
    with peer.Server(MODEL, o.port, "-c", "512") as server:
        for question in questions:
            answers[question] = (ours(question), ask(server, question))
    different = [q for q, (here, there) in answers.items() if here != there]
    exact = {}
    if different:
        with peer.scratch() as folder, peer.Server(peer.dequantise(MODEL, folder), o.port, "-c", "512") as server:
            exact = {q: ask(server, q) for q in different}
    for q in different:
        print(f"  {q!r}\n    ours          {answers[q][0]!r}\n    peer          {answers[q][1]!r}\n    peer, as F32  {exact[q]!r}")
    same = len(answers) - len(different)
    print(f"  {'MISSED' if different else 'met   '} same greedy answers: {same} of {len(answers)}; "
          f"of the others, {sum(exact[q] == answers[q][0] for q in different)} are ours on the F32 weights")
    peer.save("guide", {"model": MODEL.name, "met": not different, "questions": len(answers), "same": same,
                        "different": [{"question": q, "ours": answers[q][0], "peer": answers[q][1], "peer_f32": exact[q]} for q in different]})
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
