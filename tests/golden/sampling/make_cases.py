#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Writes the sampler traces of this folder with an implementation of its own.

Nothing is shared with core/engine/sampling: generator, stages and draw are written again from the definitions, with
full sorts. Run it only when a definition changes, and read the difference."""
import math
import pathlib
import random
import struct

MASK = 0xFFFFFFFF


def single(value):
    """The nearest 32-bit float, which is what the parameters and logits are."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def uniform(seed, sequence, position, draw):
    counter = [position & MASK, position >> 32, sequence, draw]
    key = [seed & MASK, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [(b >> 32) ^ counter[1] ^ key[0], b & MASK, (a >> 32) ^ counter[3] ^ key[1], a & MASK]
        key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
    return ((counter[0] << 32 | counter[1]) >> 11) / 2.0**53


def softmax(rows):
    weights = [math.exp(logit - rows[0][1]) for _, logit in rows]
    return [weight / sum(weights) for weight in weights]


def ordered(rows):
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def penalties(rows, p, history, _position):
    last = history[-p["repeat_last_n"]:] if p["repeat_last_n"] > 0 else history
    result = []
    for token, logit in rows:
        count = last.count(token)
        if count:
            logit = logit / p["repeat_penalty"] if logit > 0 else logit * p["repeat_penalty"]
            logit -= count * p["frequency_penalty"] + p["presence_penalty"]
        result.append((token, logit))
    return result


def dry(rows, p, history, _position):
    if p["dry_multiplier"] == 0:
        return rows
    longest = {}
    for end in range(len(history) - 1):
        length = 0
        while length <= end and history[end - length] == history[-1 - length]:
            length += 1
        longest[history[end + 1]] = max(longest.get(history[end + 1], 0), length)
    allowed = p["dry_allowed_length"]
    return [(token, logit - p["dry_multiplier"] * p["dry_base"] ** (longest[token] - allowed))
            if longest.get(token, 0) >= allowed else (token, logit) for token, logit in rows]


def top_k(rows, p, _history, _position):
    return rows[:p["top_k"]] if p["top_k"] else rows


def top_p(rows, p, _history, _position):
    total = 0.0
    for index, share in enumerate(softmax(rows)):
        total += share
        if total >= p["top_p"]:
            return rows[:index + 1]
    return rows


def min_p(rows, p, _history, _position):
    shares = softmax(rows)
    return [row for row, share in zip(rows, shares) if share >= p["min_p"] * shares[0]]


def typical_p(rows, p, _history, _position):
    if p["typical_p"] >= 1:
        return rows
    shares = softmax(rows)
    entropy = -sum(share * math.log(share) for share in shares)
    total, left = 0.0, []
    for row, share in sorted(zip(rows, shares), key=lambda pair: abs(-math.log(pair[1]) - entropy)):
        left.append(row)
        total += share
        if total >= p["typical_p"]:
            break
    return left


def xtc(rows, p, _history, position):
    if uniform(p["seed"], p["sequence"], position, 1) >= p["xtc_probability"]:
        return rows
    viable = sum(share >= p["xtc_threshold"] for share in softmax(rows))
    return rows[viable - 1:] if viable >= 2 else rows


def temperature(rows, p, _history, _position):
    return [(token, logit / p["temperature"]) for token, logit in rows]


STAGES = {f.__name__: f for f in (penalties, dry, top_k, typical_p, top_p, min_p, xtc, temperature)}
OFF = {"seed": 0, "sequence": 0, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0,
       "repeat_penalty": 1.0, "repeat_last_n": 64, "frequency_penalty": 0.0, "presence_penalty": 0.0,
       "dry_multiplier": 0.0, "dry_base": 1.75, "dry_allowed_length": 2, "xtc_probability": 0.0,
       "xtc_threshold": 0.1}


def pick(p, order, logits, history):
    position = len(history)
    rows = ordered(enumerate(logits))
    for name in order:
        if p["temperature"] == 0 and name not in ("penalties", "dry"):
            continue
        rows = ordered(STAGES[name](rows, p, history, position))
    if p["temperature"] == 0:
        return rows[0][0]
    target, total = uniform(p["seed"], p["sequence"], position, 0), 0.0
    for (token, _), share in zip(rows, softmax(rows)):
        total += share
        if total > target:
            return token
    return rows[-1][0]


def write(name, what, changes, order=None, steps=40):
    source = random.Random(name)
    p = {key: single(value) if isinstance(value, float) else value for key, value in {**OFF, **changes}.items()}
    order = order or list(STAGES)
    logits = [round(source.gauss(0, 2), 2) for _ in range(24)]
    history = [source.randrange(24) for _ in range(8)]
    trace, tokens = [], list(history)
    for _ in range(steps):
        trace.append(pick(p, order, [single(value) for value in logits], tokens))
        tokens.append(trace[-1])
    lines = ["# " + what, "# Written by make_cases.py; each token joins the history of the next."]
    lines += [f"{key} {changes.get(key, value)}" for key, value in OFF.items()]
    lines += ["order " + " ".join(order)]
    for key, values in (("logits", logits), ("history", history), ("expect", trace)):
        lines.append(key + " " + " ".join(map(str, values)))
    path = pathlib.Path(__file__).with_name(name + ".case")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    usual = {"temperature": 0.8, "top_k": 12, "top_p": 0.95, "min_p": 0.05}
    write("greedy", "The most likely token, with a repeat penalty so that it changes.",
          {"temperature": 0.0, "repeat_penalty": 1.3})
    write("plain", "Softmax as it is.", {"seed": 1})
    write("usual", "The usual chain.", {"seed": 42, **usual})
    write("large-seed", "All 64 bits of the seed count.", {"seed": 0x9000000000000005, "sequence": 3, **usual})
    write("penalties", "All three penalties, over a short window.",
          {"seed": 7, "repeat_penalty": 1.2, "frequency_penalty": 0.4, "presence_penalty": 0.3, "repeat_last_n": 10,
           **usual})
    write("dry", "DRY on a vocabulary so small that everything repeats.",
          {"seed": 9, "dry_multiplier": 0.8, "dry_allowed_length": 1, **usual})
    write("xtc", "The top choices are left out every other time.",
          {"seed": 11, "xtc_probability": 0.5, "xtc_threshold": 0.08})
    write("typical", "Locally typical tokens only.", {"seed": 13, "typical_p": 0.6})
    write("heat-first", "Temperature before the cuts.", {"seed": 42, **usual, "temperature": 2.0},
          ["temperature", "top_k", "top_p", "min_p"])
    write("cut-first", "The same settings, temperature last.", {"seed": 42, **usual, "temperature": 2.0},
          ["top_k", "top_p", "min_p", "temperature"])
