# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Asks the exported file the held-out wordings and the questions off the topic, and prints how many it answers rightly.

The weights are the rounded ones of the file itself. An answer is right if it equals the record's answer, or shares at
least 90 % of that answer's words in order and is not much longer.
"""
import argparse
import json
import random
import sys
from pathlib import Path

import torch

import bpe
from data import Data, HERE, problems, words
from gguf_writer import read_gguf
from model import Guide, Shape

BAR_HELD, BAR_OFF = 0.85, 0.80


def load(path):
    """Returns the network and the tokenizer of a GGUF file."""
    fields, tensors = read_gguf(path)
    shape = Shape(vocab=len(fields["tokenizer.ggml.tokens"]), width=fields["llama.embedding_length"], layers=fields["llama.block_count"],
                  ff=fields["llama.feed_forward_length"], heads=fields["llama.attention.head_count"],
                  kv_heads=fields["llama.attention.head_count_kv"], context=fields["llama.context_length"])
    tokenizer = bpe.Tokenizer([m.split(" ") for m in fields["tokenizer.ggml.merges"]])
    return Guide(shape, {k: torch.tensor(v) for k, v in tensors.items()}), tokenizer


def in_order(said, wanted):
    """Returns the share of the wanted words that were said in that order (longest common subsequence)."""
    a, b = words(said), words(wanted)
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b):
            before, row[j + 1] = row[j + 1], before + 1 if x == y else max(row[j + 1], row[j])
    return row[-1] / max(1, len(b))


def right(said, wanted):
    return said == wanted or (in_order(said, wanted) >= 0.9 and len(words(said)) <= 1.2 * len(words(wanted)))


def ask(model, tokenizer, questions, before=()):
    """Returns for each question the greedy answer and its smallest margin between the best and the second-best token."""
    prompts = [tokenizer.prompt([*before, ("user", q)]) for q in questions]
    return [(tokenizer.decode(ids), margin) for ids, margin in model.answer(prompts, bpe.DONE)]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", type=Path, default=HERE / "guide.gguf")
    options.add_argument("--data", type=Path, default=HERE / "data")
    options.add_argument("--json", type=Path, help="also write the figures to this file")
    options.add_argument("--missed", action="store_true", help="list the questions that were answered wrongly")
    o = options.parse_args()
    torch.set_num_threads(2)
    model, tokenizer = load(o.model)
    data = Data(o.data)
    answers = [r.answer for r in data.records]
    names = {r.answer: r.id for r in data.records} | {a: "don't know" for a in data.off_answers}

    def score(pairs, before=()):
        said = ask(model, tokenizer, [q for q, _ in pairs], before)
        good = 0
        for (question, wanted), (answer, _) in zip(pairs, said):
            ok = any(right(answer, w) for w in wanted)
            good += ok
            if o.missed and not ok:
                print(f"  {question!r}: wanted {names[wanted[0]]}, got {names.get(answer, answer)}")
        return good, len(pairs), sorted(m for _, m in said)

    held = score([(q, [answers[i]]) for q, i in data.held])
    off = score([(q, data.off_answers) for q in data.off_test])
    rng = random.Random(3)
    trained = score([(rng.choice(r.questions), [r.answer]) for r in data.records])
    by_id = {r.id: r.answer for r in data.records}
    probe = [l.split(" | ", 1) for l in (o.data / "probe.txt").read_text(encoding="utf-8").splitlines() if l and not l.startswith("#")]
    sentences = score([(q, [by_id[i]]) for i, q in probe])
    # The same held-out wordings as a second question, after another one was answered, and with a system message.
    other = data.records[rng.randrange(len(data.records))]
    second = score([(q, [answers[i]]) for q, i in data.held], [("user", other.questions[0]), ("assistant", other.answer)])
    system = score([(q, [answers[i]]) for q, i in data.held], [("system", "You are a helpful assistant.")])
    figures = {"file": o.model.name, "bytes": o.model.stat().st_size, "records": len(answers), "data_problems": len(problems(data)),
               "margin_5_percent": round(held[2][len(held[2]) // 20], 3)}
    lines = [("held_out", "held-out wordings answered rightly", held), ("off_topic", "questions off the topic declined", off),
             ("trained", "training wordings answered rightly", trained), ("whole_sentences", "whole sentences of another author answered rightly", sentences),
             ("second_turn", "held-out wordings as a second question", second),
             ("with_system", "held-out wordings after a system message", system)]
    for key, name, (good, count, _) in lines:
        print(f"{name}: {good} of {count}, {100 * good / count:.1f} %")
        figures[key] = round(good / count, 4)
    text = json.dumps(figures)
    print(text)
    if o.json:
        o.json.write_text(text + "\n", encoding="utf-8")
    return 0 if figures["held_out"] >= BAR_HELD and figures["off_topic"] >= BAR_OFF and not figures["data_problems"] else 1


if __name__ == "__main__":
    sys.exit(main())
