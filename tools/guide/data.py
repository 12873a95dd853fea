# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Reads the questions and answers, checks them, and varies the questions for the training.

Run as a program it checks the data: python3 data.py [DATA]. A held-out wording may share no four words in a row with any
training wording, and no varied or generated question that does so is let through either.
"""
import random
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from math import log
from pathlib import Path

import lexicon

HERE = Path(__file__).resolve().parent


@dataclass
class Record:
    id: str = ""
    questions: list = field(default_factory=list)
    held: list = field(default_factory=list)
    answer: str = ""


def words(text):
    """Returns the lower-case words of a text, without punctuation."""
    return re.findall(r"[a-z0-9]+(?:['.][a-z0-9]+)*", text.lower().replace("\u2019", "'"))


def four_grams(text):
    """Returns every run of four words; a shorter text counts as one run."""
    w = words(text)
    return {tuple(w[i:i + 4]) for i in range(max(1, len(w) - 3))}


def load_records(folder):
    """Reads pairs/*.txt."""
    records = []
    for path in sorted(Path(folder, "pairs").glob("*.txt")):
        for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
            record = Record()
            for line in block.splitlines():
                if not line.strip() or line.startswith("#"):
                    continue
                key, _, value = line.partition(":")
                value = value.strip()
                if key == "id":
                    record.id = value
                elif key == "Q":
                    record.questions.append(value)
                elif key == "H":
                    record.held.append(value)
                elif key == "A":
                    record.answer = value
                else:
                    raise ValueError(f"{path}: a line that cannot be read: {line}")
            if record.id:
                records.append(record)
    return records


def load_lines(folder, name):
    path = Path(folder, "offtopic", name)
    return [l.strip() for l in path.read_text(encoding="utf-8").splitlines() if l.strip() and not l.startswith("#")]


class Data:
    """Everything that was read from one folder."""

    def __init__(self, folder=HERE / "data"):
        self.records = load_records(folder)
        self.off_train = load_lines(folder, "train.txt")
        self.off_test = load_lines(folder, "test.txt")
        self.off_answers = load_lines(folder, "answers.txt")
        self.held = [(q, i) for i, r in enumerate(self.records) for q in r.held]

    def forbidden(self):
        """Returns the runs of four words that no training question may hold."""
        return set().union(*(four_grams(q) for q, _ in self.held), *(four_grams(q) for q in self.off_test))


def problems(data):
    """Lists what is wrong with the data."""
    found, ids, answers = [], Counter(r.id for r in data.records), Counter(r.answer for r in data.records)
    forbidden = data.forbidden()
    for r in data.records:
        if ids[r.id] > 1:
            found.append(f"{r.id}: the name is used more than once")
        if answers[r.answer] > 1 or not r.answer:
            found.append(f"{r.id}: the answer is empty or used more than once")
        if len(r.questions) < 6 or len(r.held) != 2:
            found.append(f"{r.id}: {len(r.questions)} training wordings and {len(r.held)} held-out ones")
        for q in r.questions:
            for gram in four_grams(q) & forbidden:
                found.append(f"{r.id}: '{q}' shares '{' '.join(gram)}' with a held-out wording")
    for q in data.off_train:
        for gram in four_grams(q) & forbidden:
            found.append(f"off the topic: '{q}' shares '{' '.join(gram)}' with a held-out question")
    if len(data.off_test) < 50:
        found.append(f"only {len(data.off_test)} questions off the topic to test with")
    return found


class Varier:
    """Makes ever new wordings out of the training wordings; the same seed gives the same wordings."""

    def __init__(self, data, seed, skip=()):
        self.rng = random.Random(seed)
        self.data = data
        self.questions = [[q for q in r.questions if q not in skip] for r in data.records]
        self.forbidden = data.forbidden()
        self.swaps = {}
        for group in lexicon.SYNONYMS:
            for phrase in group:
                self.swaps.setdefault(phrase.lower(), []).extend(g for g in group if g != phrase)
        self.longest = max(len(p.split()) for p in self.swaps)
        # A word that occurs in few records says much about the record.
        seen = Counter(w for i, r in enumerate(data.records) for w in {w for q in self.questions[i] + [r.answer] for w in words(q)})
        self.weight = {w: log((len(data.records) + 1) / n) for w, n in seen.items()}
        self.common = [w for q in self.questions for x in q for w in words(x)]
        self.answer_words = [sorted(set(words(r.answer)) - lexicon.WEAK) for r in data.records]
        self.off_words = [w for group in lexicon.OFF_WORDS.values() for w in group] + [w for q in data.off_train for w in words(q)]

    def swap(self, text, chance):
        """Replaces phrases by others of about the same meaning."""
        w, out, i = text.split(), [], 0
        while i < len(w):
            for n in range(min(self.longest, len(w) - i), 0, -1):
                part = " ".join(w[i:i + n])
                core = part.rstrip("?,.!:;")
                if core.lower() in self.swaps:
                    if self.rng.random() < chance:
                        part = self.rng.choice(self.swaps[core.lower()]) + part[len(core):]
                    break
            out.append(part)
            i += n
        return " ".join(out)

    def typo(self, text):
        """Makes one small slip: two letters turned round, one left out, doubled or wrong."""
        spots = [i for i in range(1, len(text) - 1) if text[i].isalpha() and text[i + 1].isalpha()]
        if not spots:
            return text
        i = self.rng.choice(spots)
        kind = self.rng.randrange(4)
        if kind == 0:
            return text[:i] + text[i + 1] + text[i] + text[i + 2:]
        if kind == 1:
            return text[:i] + text[i + 1:]
        if kind == 2:
            return text[:i] + text[i] + text[i:]
        return text[:i] + self.rng.choice("abcdefghijklmnopqrstuvwxyz") + text[i + 1:]

    def thin(self, w, keep):
        """Leaves words out, those that say little first; at least one telling word stays."""
        best = max(w, key=lambda x: self.weight.get(x, 0) + self.rng.random())
        return [x for x in w if x == best or self.rng.random() < (keep * 0.6 if x in lexicon.WEAK else keep)]

    def finish(self, text):
        """Varies case and punctuation, and adds a slip now and then."""
        r = self.rng.random
        text = text.strip()
        if r() < 0.12:
            text = self.typo(text)
        bare = text.rstrip("?.! ")
        text = bare + self.rng.choices(["?", "", ".", "??", " ?", "!"], [50, 35, 5, 3, 4, 3])[0]
        case = r()
        if case < 0.35:
            text = text.lower()
        elif case < 0.39:
            text = text.upper()
        elif case < 0.75:
            text = text[:1].upper() + text[1:]
        return text

    def wrap(self, text):
        """Adds polite words before or after."""
        if self.rng.random() < 0.22:
            text = self.rng.choice(lexicon.BEFORE) + " " + text[:1].lower() + text[1:]
        if self.rng.random() < 0.15:
            text = text.rstrip("?.! ") + " " + self.rng.choice(lexicon.AFTER)
        return text

    def vary(self, wordings, topic=None):
        """Returns one new wording for a list of wordings of the same question."""
        rng, kind = self.rng, self.rng.random()
        text = rng.choice(wordings)
        if kind < 0.08:
            return text
        if kind < 0.33:
            text = self.swap(text, 0.3)
        elif kind < 0.45:
            text = " ".join(self.thin(words(self.swap(text, 0.2)), rng.choice([0.6, 0.8, 0.9])))
        elif kind < 0.56:
            w = self.thin(words(self.swap(text, 0.2)), rng.choice([0.6, 0.8, 1.0]))
            rng.shuffle(w)
            text = " ".join(w)
        elif kind < 0.66:
            # The beginning of one wording and the end of another.
            a, b = (words(self.swap(x, 0.2)) for x in (text, rng.choice(wordings)))
            text = " ".join(a[:rng.randint(0, len(a))] + b[rng.randint(0, len(b) - 1):])
        elif kind < 0.82:
            # Telling words out of two or three wordings, with few of the others.
            pool = [x for q in rng.sample(wordings, min(rng.randint(2, 3), len(wordings))) for x in words(self.swap(q, 0.1))]
            w = [x for x in dict.fromkeys(pool) if x not in lexicon.WEAK or rng.random() < 0.3] or pool
            text = " ".join(rng.sample(w, min(len(w), rng.randint(2, 5))))
        elif kind < 0.89:
            # Foreign words strewn in, so that one stray word does not lead astray.
            w = words(text)
            for _ in range(rng.randint(1, 2)):
                w.insert(rng.randint(0, len(w)), rng.choice(self.common))
            text = " ".join(w)
        elif kind < 0.95 and topic is not None:
            # Telling words out of the wordings and the answer.
            w = [x for q in rng.sample(wordings, min(2, len(wordings))) for x in words(q) if x not in lexicon.WEAK]
            pool = self.answer_words[topic]
            w += rng.choices(pool, [0.05 + self.weight.get(x, 0) for x in pool], k=2) if pool else []
            text = " ".join(rng.sample(w, min(len(w), rng.randint(3, 6)))) or text
        return self.finish(self.wrap(text))

    def allowed(self, text):
        return bool(words(text)) and not (four_grams(text) & self.forbidden)

    def question(self, topic):
        """Returns a varied wording of one record's question."""
        while True:
            text = self.vary(self.questions[topic], topic)
            if self.allowed(text):
                return text

    def off(self):
        """Returns a question off the topic."""
        rng = self.rng
        while True:
            kind = rng.random()
            if kind < 0.35:
                text = self.vary(self.data.off_train)
            elif kind < 0.75:
                pattern = rng.choice(lexicon.OFF_PATTERNS)
                text = re.sub(r"{(\w+)}", lambda m: rng.choice(lexicon.OFF_WORDS[m[1]]), pattern)
                text = self.finish(self.wrap(self.swap(text, 0.15) if rng.random() < 0.3 else text))
            elif kind < 0.95:
                # The shape of a question on the topic, its telling words replaced by words from elsewhere.
                shape = words(rng.choice(rng.choice(self.questions)))
                text = " ".join(w if w in lexicon.WEAK else rng.choice(self.off_words) for w in shape)
                if len(set(shape) - lexicon.WEAK) == 0:
                    continue
                text = self.finish(self.wrap(text))
            else:
                made = ["".join(rng.choice("aeioubcdfghklmnprstvwz") for _ in range(rng.randint(2, 9))) for _ in range(rng.randint(1, 4))]
                text = self.finish(" ".join(made))
            if self.allowed(text):
                return text


def main():
    data = Data(sys.argv[1] if len(sys.argv) > 1 else HERE / "data")
    found = problems(data)
    print("\n".join(found))
    print(f"{len(data.records)} records, {sum(len(r.questions) for r in data.records)} training wordings, {len(data.held)} held out, "
          f"{len(data.off_train)} + {len(data.off_test)} off the topic: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
