# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Trains the vocabulary and the network on the data and writes build/vocab.json and build/weights.pt.

With --dev one training wording of each record is kept back and answered at the end, so that settings can be chosen
without a look at the held-out wordings.
"""
import argparse
import math
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import bpe
from data import Data, HERE, Varier
from model import Guide, Shape, initial_weights

VOCAB = 1792
TAP = 2  # The topic head reads the residual stream after this layer (counted from 0).
SYSTEM = ["You are a helpful assistant.", "You are a helpful, honest assistant.", "You are the guide of GGUF Loader.",
          "Answer briefly.", "You answer questions about GGUF Loader and local models.", "Be concise.", "Be friendly and polite.",
          "You are an expert. Think before you answer.", "Reply in English.", "You are a pirate.", "Keep answers short and clear."]


def train_vocabulary(data, size):
    """Learns the merges on the questions, as written and in other case, and on the answers."""
    varier, texts = Varier(data, 1), []
    for i, record in enumerate(data.records):
        texts += record.questions + [q.lower() for q in record.questions] + [q.capitalize() for q in record.questions]
        texts += [" " + q for q in record.questions] + [varier.question(i) for _ in range(6)] + [record.answer] * 6
    texts += data.off_train + data.off_answers * 4 + SYSTEM + [varier.off() for _ in range(1500)]
    return bpe.Tokenizer(bpe.train_merges(texts, size - 256 - len(bpe.SPECIALS)))


class Examples:
    """Draws conversations and packs those of about one length into batches."""

    def __init__(self, data, tokenizer, seed, skip=()):
        self.data, self.tok = data, tokenizer
        self.varier = Varier(data, seed, skip)
        self.rng = random.Random(seed + 1)
        self.answers = [r.answer for r in data.records] + [data.off_answers[0]]
        self.order = []

    def turn(self, off_share):
        """Returns a question and the number of its answer; the last number means "I don't know"."""
        if self.rng.random() < off_share:
            return self.varier.off(), len(self.data.records)
        if not self.order:
            self.order = self.rng.sample(range(len(self.data.records)), len(self.data.records))
        topic = self.order.pop()
        return self.varier.question(topic), topic

    def conversation(self, off_share):
        """Returns the tokens, from where on each answer is learned as (start, end), and the topics with their places."""
        rng, ids, spans, topics = self.rng, [bpe.BEGIN], [], []
        if rng.random() < 0.1:
            ids += [bpe.SYSTEM, *self.tok.encode(rng.choice(SYSTEM)), bpe.DONE]
        turns = rng.choices([1, 2, 3], [90, 8, 2])[0]
        for n in range(turns):
            text, topic = self.turn(off_share)
            answer = [*self.tok.encode(self.answers[topic]), bpe.DONE]
            # The start of an answer is where the question must be understood: most examples end soon after it, and in
            # longer conversations an earlier answer may be cut short.
            cut = rng.random() < (0.8 if n == turns - 1 else 0.6)
            if cut:
                answer = answer[:rng.randint(3, 9)]
            ids += [bpe.ASK, *self.tok.encode(text), bpe.DONE, bpe.REPLY]
            topics.append((len(ids) - 1, topic))
            spans.append((len(ids) - 1, len(ids) - 1 + len(answer)))
            ids += answer
            if cut and n < turns - 1:
                ids.append(bpe.DONE)
        return ids[:-1], ids[1:], spans, topics

    def batches(self, tokens, off_share, pool=1024):
        while True:
            drawn = sorted((self.conversation(off_share) for _ in range(pool)), key=lambda e: len(e[0]))
            groups, group = [], []
            for example in drawn:
                if group and (len(group) + 1) * len(example[0]) > tokens:
                    groups.append(group)
                    group = []
                group.append(example)
            self.rng.shuffle(groups)
            for group in groups:
                yield self.pack(group)

    @staticmethod
    def pack(group):
        longest = max(len(e[0]) for e in group)
        ids = torch.full((len(group), longest), bpe.PAD)
        places, wanted, topic_places, topics = [], [], [], []
        for row, (given, following, spans, marks) in enumerate(group):
            ids[row, :len(given)] = torch.tensor(given)
            for start, end in spans:
                places += range(row * longest + start, row * longest + end)
                wanted += following[start:end]
            topic_places += [row * longest + place for place, _ in marks]
            topics += [topic for _, topic in marks]
        return ids, torch.tensor(places), torch.tensor(wanted), torch.tensor(topic_places), torch.tensor(topics)


def faster_half():
    """Says whether products of 16-bit numbers are the faster ones on this processor."""
    def seconds(kind):
        a, b = torch.randn(4096, 256).to(kind), torch.randn(768, 256).to(kind)
        tries = []
        for _ in range(12):
            start = time.perf_counter()
            F.linear(a, b)
            tries.append(time.perf_counter() - start)
        return min(tries)
    return seconds(torch.bfloat16) < 0.8 * seconds(torch.float32)


@torch.no_grad()
def follows(model, tokenizer, pairs):
    """Says for each (question, answer) whether the greedy answer is exactly that answer, in one pass."""
    results = []
    for i in range(0, len(pairs), 64):
        group = []
        for q, a in pairs[i:i + 64]:
            prompt, answer = tokenizer.prompt([("user", q)]), [*tokenizer.encode(a), bpe.DONE]
            group.append((prompt + answer[:-1], answer, len(prompt) - 1))
        ids = torch.full((len(group), max(len(g[0]) for g in group)), bpe.PAD)
        for row, (given, _, _) in enumerate(group):
            ids[row, :len(given)] = torch.tensor(given)
        best = model.logits(model.hidden(ids)[0]).argmax(-1)
        results += [best[row, start:start + len(a)].tolist() == a for row, (_, a, start) in enumerate(group)]
    return results


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=HERE / "data")
    options.add_argument("--build", type=Path, default=HERE / "build")
    options.add_argument("--steps", type=int, default=4000)
    options.add_argument("--minutes", type=float, default=0, help="end by then even if steps are left; 0: take all steps")
    options.add_argument("--tokens", type=int, default=2048, help="tokens in a batch")
    options.add_argument("--rate", type=float, default=2e-3)
    options.add_argument("--decay", type=float, default=0.1)
    options.add_argument("--drop", type=float, default=0.1)
    options.add_argument("--off", type=float, default=0.18, help="share of questions off the topic")
    options.add_argument("--topic", type=float, default=0.3, help="weight of the topic head's loss")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--dev", action="store_true")
    o = options.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    o.build.mkdir(exist_ok=True, parents=True)
    data = Data(o.data)
    skip, dev = set(), []
    if o.dev:
        pick = random.Random(7)
        for r in data.records:
            dev.append((pick.choice(r.questions), r.answer))
        skip = {q for q, _ in dev}
    tokenizer = train_vocabulary(data, VOCAB)
    tokenizer.save(o.build / "vocab.json")
    shape = Shape(vocab=len(tokenizer.tokens))
    weights = initial_weights(shape)
    head = torch.zeros(len(data.records) + 1, shape.width)
    learned = [*weights.values(), head]
    for w in learned:
        w.requires_grad_(True)
    half = faster_half()
    model = Guide(shape, weights, half)
    mean = {k: w.detach().clone() for k, w in weights.items()}
    optimiser = torch.optim.AdamW([{"params": [w for w in learned if w.dim() > 1], "weight_decay": o.decay},
                                   {"params": [w for w in learned if w.dim() == 1], "weight_decay": 0.0}], betas=(0.9, 0.98), foreach=True)
    examples = Examples(data, tokenizer, o.seed, skip)
    print(f"{sum(w.numel() for w in weights.values())} weights, {len(tokenizer.tokens)} tokens, 16-bit products: {half}", flush=True)

    def save(step):
        torch.save({"shape": vars(shape), "weights": mean, "seconds": time.time() - start, "cpu_seconds": time.process_time(),
                    "tokens": seen, "steps": step}, o.build / "weights.pt")

    start, seen, shown = time.time(), 0, [0.0, 0.0, 0]
    for step, (ids, places, wanted, topic_places, topics) in enumerate(examples.batches(o.tokens, o.off)):
        # The learning rate follows the steps taken or, with --minutes, the time if that runs out sooner.
        part = max(step / o.steps, (time.time() - start) / (60 * o.minutes) if o.minutes else 0)
        if part >= 1:
            break
        rate = o.rate * min(1, (step + 1) / 150) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * part)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        out, tapped = model.hidden(ids, drop=o.drop, tap=TAP)
        loss = F.cross_entropy(model.logits(out.flatten(0, 1)[places]), wanted)
        at = tapped.flatten(0, 1)[topic_places]
        at = at * torch.rsqrt(at.square().mean(-1, keepdim=True) + shape.eps)
        topic_loss = F.cross_entropy(F.linear(at, head), topics)
        optimiser.zero_grad(set_to_none=True)
        (loss + o.topic * topic_loss).backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        # The exported weights are a running mean of the last few hundred steps.
        keep = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for k, w in weights.items():
                mean[k].lerp_(w, 1 - keep)
        seen += ids.numel()
        shown[0] += loss.item()
        shown[1] += topic_loss.item()
        shown[2] += 1
        if (step + 1) % 100 == 0 or step + 1 == o.steps:
            line = f"step {step + 1}  answers {shown[0] / shown[2]:.3f}  topics {shown[1] / shown[2]:.3f}  {seen / (time.time() - start):.0f} tokens/s"
            if dev and (step + 1) % 500 == 0:
                good = follows(Guide(shape, mean), tokenizer, dev)
                line += f"  dev {sum(good) / len(good):.3f}"
            print(f"{line}  {time.time() - start:.0f} s, {time.process_time():.0f} s of processor", flush=True)
            save(step + 1)
            shown = [0.0, 0.0, 0]
    save(step)
    if dev:
        model = Guide(shape, mean)
        good = follows(model, tokenizer, dev)
        print("missed:", *[q for (q, _), ok in zip(dev, good) if not ok], sep="\n  ")
        print(f"wordings kept back: {sum(good)} of {len(good)}")


if __name__ == "__main__":
    main()
