# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""The network: a llama decoder (RMS norm, interleaved rotary positions, grouped queries, SwiGLU, tied embeddings).

Tensors carry their GGUF names. A topic head on a middle layer helps the training and is not exported.
"""
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass
class Shape:
    vocab: int
    width: int = 256
    layers: int = 4
    ff: int = 768
    heads: int = 4
    kv_heads: int = 2
    context: int = 512
    eps: float = 1e-5
    base: float = 10000.0

    @property
    def head(self):
        return self.width // self.heads


def tensor_shapes(s):
    """Lists every tensor of the exported file with its rows and columns."""
    kv = s.kv_heads * s.head
    shapes = {"token_embd.weight": (s.vocab, s.width), "output_norm.weight": (s.width,)}
    for n in range(s.layers):
        shapes.update({f"blk.{n}.{k}.weight": v for k, v in {
            "attn_norm": (s.width,), "attn_q": (s.width, s.width), "attn_k": (kv, s.width), "attn_v": (kv, s.width),
            "attn_output": (s.width, s.width), "ffn_norm": (s.width,), "ffn_gate": (s.ff, s.width),
            "ffn_up": (s.ff, s.width), "ffn_down": (s.width, s.ff)}.items()})
    return shapes


def initial_weights(s):
    """Draws the starting weights; what writes into the residual stream starts smaller."""
    weights = {}
    for name, shape in tensor_shapes(s).items():
        if "norm" in name:
            weights[name] = torch.ones(shape)
        else:
            scale = 0.03 / (2 * s.layers) ** 0.5 if "output" in name or "down" in name else 0.03
            weights[name] = torch.randn(shape) * scale
    return weights


class Guide:
    """Runs the network on a dictionary of weights, in 32-bit or (training on a processor that has it) 16-bit products."""

    def __init__(self, shape, weights, half=False):
        self.s, self.w, self.half = shape, weights, half
        angle = torch.arange(shape.context)[:, None] * shape.base ** (-torch.arange(0, shape.head, 2) / shape.head)
        self.cos, self.sin = torch.cos(angle), torch.sin(angle)

    def linear(self, x, name):
        weight = self.w[name]
        return F.linear(x.bfloat16(), weight.bfloat16()) if self.half else F.linear(x, weight)

    def norm(self, x, name):
        x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.s.eps) * self.w[name]
        return x.bfloat16() if self.half else x

    def rotate(self, x, start):
        """Turns each pair of neighbouring values by its angle: ggml's NORM type. x is batch, time, heads, head."""
        t = x.shape[1]
        cos, sin = (v[start:start + t, None, :].to(x.dtype) for v in (self.cos, self.sin))
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)

    def hidden(self, ids, cache=None, mask=None, drop=0.0, tap=None):
        """Returns the normed output for each position, and the residual stream after layer `tap`.

        `cache` is a list of (keys, values) for each layer, extended in place; `mask` adds to the attention scores.
        """
        s, (batch, time) = self.s, ids.shape
        start = cache[0][0].shape[2] if cache and cache[0] is not None else 0
        x = F.embedding(ids, self.w["token_embd.weight"])
        if mask is None:
            mask = torch.full((time, time), float("-inf")).triu(1)
        tapped = None

        def thin(y):
            if not drop:
                return y.float()
            # One mask for the whole sequence: cheap, and a strong regulariser on so little text.
            return y * (torch.rand(batch, 1, s.width) >= drop).float().div(1 - drop)

        for n in range(s.layers):
            p = f"blk.{n}."
            y = self.norm(x, p + "attn_norm.weight")
            q = self.linear(y, p + "attn_q.weight").view(batch, time, s.heads, s.head)
            k = self.linear(y, p + "attn_k.weight").view(batch, time, s.kv_heads, s.head)
            v = self.linear(y, p + "attn_v.weight").view(batch, time, s.kv_heads, s.head).transpose(1, 2)
            q = self.rotate(q, start).transpose(1, 2)
            k = self.rotate(k, start).transpose(1, 2)
            if cache is not None:
                if cache[n] is not None:
                    k, v = torch.cat((cache[n][0], k), 2), torch.cat((cache[n][1], v), 2)
                cache[n] = (k, v)
            group = s.heads // s.kv_heads
            # The query heads that share a key head are stacked along time, so keys are not copied.
            q = q.reshape(batch * s.kv_heads, group * time, s.head)
            k, v = (z.reshape(batch * s.kv_heads, -1, s.head) for z in (k, v))
            scores = torch.bmm(q, k.transpose(1, 2)).float() * s.head ** -0.5
            scores = scores.view(batch, s.kv_heads, group, time, -1) + mask
            share = torch.softmax(scores, -1).to(v.dtype).view(batch * s.kv_heads, group * time, -1)
            y = torch.bmm(share, v).view(batch, s.heads, time, s.head).transpose(1, 2).reshape(batch, time, s.width)
            x = x + thin(self.linear(y, p + "attn_output.weight"))
            y = self.norm(x, p + "ffn_norm.weight")
            y = F.silu(self.linear(y, p + "ffn_gate.weight")) * self.linear(y, p + "ffn_up.weight")
            x = x + thin(self.linear(y, p + "ffn_down.weight"))
            if n == tap:
                tapped = x
        return self.norm(x, "output_norm.weight"), tapped

    def logits(self, hidden):
        return self.linear(hidden, "token_embd.weight").float()

    @torch.no_grad()
    def answer(self, prompts, stop, limit=120):
        """Answers token lists greedily, those of one length together; returns tokens and the smallest margin of each."""
        results = [None] * len(prompts)
        by_length = {}
        for i, prompt in enumerate(prompts):
            by_length.setdefault(len(prompt), []).append(i)
        for length, members in by_length.items():
            ids = torch.tensor([prompts[i] for i in members])
            cache = [None] * self.s.layers
            said = [[] for _ in members]
            margin = [float("inf")] * len(members)
            live = [True] * len(members)
            mask = None
            for _ in range(min(limit, self.s.context - length)):
                out, _ = self.hidden(ids, cache, mask)
                top = self.logits(out[:, -1]).topk(2)
                mask = torch.zeros(1)
                ids = top.indices[:, :1]
                for j, (first, second) in enumerate(top.values.tolist()):
                    if live[j]:
                        margin[j] = min(margin[j], first - second)
                        token = int(ids[j])
                        live[j] = token != stop
                        if live[j]:
                            said[j].append(token)
                if not any(live):
                    break
            for j, i in enumerate(members):
                results[i] = (said[j], margin[j])
        return results
