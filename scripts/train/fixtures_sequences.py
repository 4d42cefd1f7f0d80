# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes test/vectors/onnx/*.onnx: recurrent nets and transformer blocks as PyTorch's two exporters write them.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/fixtures_sequences.py

The weights are random (seeded): the tests compare the reader with onnxruntime on the same file.
"""

import math
from pathlib import Path

import torch
from torch import nn
import torch.nn.functional as F

import common

FOLDER = Path(__file__).resolve().parents[2] / "test" / "vectors" / "onnx"
TOKENS, CONTEXT, DIM, HEADS = 10, 6, 8, 2


class Recurrent(nn.Module):
    """[1, 5, 3] to the head's values at the last step."""

    def __init__(self, kind, **options):
        super().__init__()
        self.net = getattr(nn, kind)(3, 4, batch_first=True, **options)
        self.head = nn.Linear(8 if options.get("bidirectional") else 4, 2)

    def forward(self, x):
        y, _ = self.net(x)
        return self.head(y[:, -1])


class Stateful(nn.Module):
    """A step of a longer sequence: the state comes in and goes out."""

    def __init__(self):
        super().__init__()
        self.net = nn.LSTM(3, 4)

    def forward(self, x, h, c):
        y, (h, c) = self.net(x, (h, c))
        return y, h, c


class Attention(nn.Module):
    """Causal attention in the ways that people write it."""

    def __init__(self, style):
        super().__init__()
        self.style = style
        self.qkv, self.out = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
        self.register_buffer("lower", torch.tril(torch.ones(CONTEXT, CONTEXT)).bool())
        if style == "module":
            self.module = nn.MultiheadAttention(DIM, HEADS, batch_first=True)

    def forward(self, x):
        n = x.shape[0]
        if self.style == "module":
            mask = torch.triu(torch.full((CONTEXT, CONTEXT), float("-inf")), diagonal=1)
            return self.module(x, x, x, attn_mask=mask, need_weights=False, is_causal=True)[0]
        q, k, v = (t.view(n, CONTEXT, HEADS, DIM // HEADS).transpose(1, 2) for t in self.qkv(x).split(DIM, dim=2))
        if self.style == "causal":
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        elif self.style == "boolean":
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.lower)
        else:
            scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(DIM // HEADS))
            if self.style == "filled":
                scores = scores.masked_fill(~self.lower, float("-inf"))
            elif self.style == "lowest":
                scores = torch.where(self.lower, scores, torch.tensor(torch.finfo(scores.dtype).min))
            elif self.style == "added":
                scores = scores + torch.triu(torch.full((CONTEXT, CONTEXT), -1e9), diagonal=1)
            y = F.softmax(scores, dim=-1) @ v
        return self.out(y.transpose(1, 2).reshape(n, CONTEXT, DIM))


class Transformer(nn.Module):
    """Token ids [1, 6] to the scores of each position's next token."""

    def __init__(self, style):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(TOKENS, DIM), nn.Embedding(CONTEXT, DIM)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(DIM) for _ in range(3))
        self.attention = Attention(style)
        self.up, self.down = nn.Linear(DIM, 2 * DIM), nn.Linear(2 * DIM, DIM)
        self.head = nn.Linear(DIM, TOKENS, bias=False)
        self.form = "tanh" if style == "filled" else "none"

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(CONTEXT))
        x = x + self.attention(self.norm1(x))
        x = x + self.down(F.gelu(self.up(self.norm2(x)), approximate=self.form))
        return self.head(self.norm3(x))


def write(name, model, inputs, input_names, output_names):
    for exporter, opset in (("legacy", 17), ("dynamo", 18)):
        path = FOLDER / f"{name}-{exporter}.onnx"
        more = {"dynamo": True, "external_data": False, "verbose": False} if exporter == "dynamo" else {"dynamo": False}
        torch.onnx.export(model.eval(), inputs, str(path), opset_version=opset,
                          input_names=input_names, output_names=output_names, **more)
        common.strip(path)
        print(path.name, path.stat().st_size)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    common.seed_everything(1)
    x = torch.zeros(1, 5, 3)
    for kind in ("LSTM", "GRU", "RNN"):
        write(f"{kind.lower()}", Recurrent(kind), (x,), ["x"], ["y"])
        write(f"{kind.lower()}-deep", Recurrent(kind, num_layers=2, bidirectional=True), (x,), ["x"], ["y"])
    state = torch.zeros(1, 1, 4)
    write("lstm-stateful", Stateful(), (torch.zeros(5, 1, 3), state, state), ["x", "h", "c"], ["y", "h_next", "c_next"])
    for style in ("causal", "boolean", "filled", "lowest", "added", "module"):
        write(f"transformer-{style}", Transformer(style), (torch.zeros(1, CONTEXT, dtype=torch.long),), ["ids"], ["scores"])


if __name__ == "__main__":
    main()
