# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Byte-level BPE with GPT-2's splitting rule: trains the merges, encodes and decodes.

The result is what GGUF calls tokenizer.ggml.model "gpt2" with tokenizer.ggml.pre "gpt-2".
"""
import json
from collections import Counter, defaultdict

import regex

SPLIT = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
PAD, BEGIN, SYSTEM, ASK, REPLY, DONE = range(6)
SPECIALS = ["<|pad|>", "<|begin|>", "<|system|>", "<|ask|>", "<|reply|>", "<|done|>"]


def byte_letters():
    """Returns the printable letter that stands for each of the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, spare = {}, 256
    for value in range(256):
        if value in plain:
            letters[value] = chr(value)
        else:
            letters[value] = chr(spare)
            spare += 1
    return letters


LETTERS = byte_letters()
BYTES = {letter: value for value, letter in LETTERS.items()}


def train_merges(texts, count):
    """Learns `count` merges from the texts; ties go to the alphabetically first pair, so that a run can be repeated."""
    tally = Counter(piece for text in texts for piece in SPLIT.findall(text))
    words = [[LETTERS[b] for b in piece.encode()] for piece in tally]
    weight = list(tally.values())
    pairs, where = Counter(), defaultdict(set)
    for i, word in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += weight[i]
            where[pair].add(i)
    merges = []
    while len(merges) < count and pairs:
        best = min(pairs, key=lambda p: (-pairs[p], p))
        if pairs[best] < 2:
            break
        merges.append(best)
        for i in list(where[best]):
            word = words[i]
            for pair in zip(word, word[1:]):
                pairs[pair] -= weight[i]
                where[pair].discard(i)
            words[i] = word = merge(word, best)
            for pair in zip(word, word[1:]):
                pairs[pair] += weight[i]
                where[pair].add(i)
        pairs = +pairs
    return merges


def merge(word, pair):
    """Joins every occurrence of the pair in a list of symbols."""
    joined, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            joined.append(word[i] + word[i + 1])
            i += 2
        else:
            joined.append(word[i])
            i += 1
    return joined


class Tokenizer:
    """Holds the vocabulary: the control tokens first, then the bytes, then one token for each merge."""

    def __init__(self, merges):
        self.merges = [tuple(m) for m in merges]
        self.tokens = SPECIALS + list(LETTERS.values()) + [a + b for a, b in self.merges]
        self.rank = {pair: i for i, pair in enumerate(self.merges)}
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.cache = {}

    def piece(self, piece):
        """Encodes one piece of the split text."""
        if piece not in self.cache:
            word = [LETTERS[b] for b in piece.encode()]
            while len(word) > 1:
                best = min(zip(word, word[1:]), key=lambda p: self.rank.get(p, len(self.rank)))
                if best not in self.rank:
                    break
                word = merge(word, best)
            self.cache[piece] = [self.ids[w] for w in word]
        return self.cache[piece]

    def encode(self, text):
        """Encodes plain text; control tokens are never read out of it."""
        return [i for piece in SPLIT.findall(text) for i in self.piece(piece)]

    def decode(self, ids):
        """Returns the text of the tokens, control tokens left out."""
        letters = "".join(self.tokens[i] for i in ids if i >= len(SPECIALS))
        return bytes(BYTES[letter] for letter in letters).decode("utf-8", "replace")

    def prompt(self, messages, generate=True):
        """Lays out a conversation as the chat template does."""
        role = {"system": SYSTEM, "user": ASK, "assistant": REPLY}
        ids = [BEGIN]
        for who, text in messages:
            ids += [role[who], *self.encode(text.strip()), DONE]
        return ids + [REPLY] if generate else ids

    def save(self, path):
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"merges": [" ".join(m) for m in self.merges]}, out, ensure_ascii=False, indent=0)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls([m.split(" ") for m in json.load(file)["merges"]])
