# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains and exports models/tiny-transformer: a decoder-only transformer that spells a word's letters in order.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/tiny_transformer.py

The task is algorithmic, since then every answer is either right or wrong: after "word=" come the letters of the word in
alphabetical order, each once, and a full stop. One block of attention can do it, and its float accuracy is high enough
to show what integers lose.
"""

import json

import numpy as np
import onnxruntime as ort
import torch
from torch import nn
import torch.nn.functional as F

import common

SEED = 1
CONTEXT, DIM, HEADS, HIDDEN = 16, 32, 2, 64
VOCABULARY = [" ", *"abcdefghijklmnopqrstuvwxyz", "=", ".", "?"]  # " " fills up the left, "?" is anything else
STEPS, BATCH, RATE = 16_000, 256, 4e-3
HELD_OUT, CALIBRATION, LONGEST = 400, 200, 8
PAD, EQUALS, STOP, OTHER = (VOCABULARY.index(c) for c in " =.?")
OPSET = 18


class Block(nn.Module):
    """Attention that looks back only, then two dense layers; both on normalized values, both added."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.qkv, self.out = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
        self.up, self.down = nn.Linear(DIM, HIDDEN), nn.Linear(HIDDEN, DIM)

    def forward(self, x):
        n = x.shape[0]
        q, k, v = (
            part.view(n, CONTEXT, HEADS, DIM // HEADS).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(DIM, dim=2)
        )
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(n, CONTEXT, DIM))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Decoder(nn.Module):
    """Token ids [n, 16] to the scores [n, 30] of the token that comes next."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(len(VOCABULARY), DIM)
        self.positions = nn.Embedding(CONTEXT, DIM)
        self.block = Block()
        self.norm = nn.LayerNorm(DIM)
        self.head = nn.Linear(DIM, len(VOCABULARY), bias=False)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(CONTEXT))
        return self.head(self.norm(self.block(x))[:, -1])


class Greedy(nn.Module):
    """What is exported: the token with the highest score, and the scores that it was chosen from."""

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, ids):
        scores = self.decoder(ids)
        return scores.argmax(dim=-1), scores


def answer(prompt):
    return [*sorted({token for token in prompt if 1 <= token <= 26}), STOP]


def draw_prompt(rng):
    """1 to 8 letters from an alphabet of 1 to 26 of them, so that some repeat; now and then something else."""
    letters = rng.permutation(np.arange(1, 27))[: rng.integers(1, 27)]
    prompt = rng.choice(letters, rng.integers(1, LONGEST + 1))
    return tuple(int(t) for t in np.where(rng.random(len(prompt)) < 0.03, OTHER, prompt))


def sample(rng, avoid):
    """One context and the token that comes next, at any place of the answer. Prompts in `avoid` are not drawn."""
    prompt = draw_prompt(rng)
    while prompt in avoid:
        prompt = draw_prompt(rng)
    told = answer(prompt)
    at = rng.integers(0, len(told))
    return context_of([*prompt, EQUALS, *told[:at]]), told[at], prompt


def context_of(tokens):
    return ([PAD] * CONTEXT + tokens)[-CONTEXT:]


def batch_of(rng, count, avoid):
    xs, ys, _ = zip(*(sample(rng, avoid) for _ in range(count)))
    return np.array(xs, np.uint8), np.array(ys, np.int64)


def train(avoid):
    common.seed_everything(SEED)
    rng = np.random.default_rng(SEED)
    pool_x, pool_y = batch_of(rng, 400_000, avoid)
    pool_x, pool_y = torch.as_tensor(pool_x.astype(np.int64)), torch.as_tensor(pool_y)
    model = Decoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=STEPS, pct_start=0.1)
    for step in range(STEPS):
        pick = torch.randint(0, len(pool_y), (BATCH,))
        loss = F.cross_entropy(model(pool_x[pick]), pool_y[pick])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 1000 == 999:
            print(f"step {step + 1}: loss {loss.item():.5f}", flush=True)
    return model.eval(), (pool_x, pool_y)


def export(model, path):
    torch.onnx.export(
        Greedy(model).eval(), (torch.zeros(1, CONTEXT, dtype=torch.long),), str(path), dynamo=True, verbose=False,
        opset_version=OPSET, external_data=False, input_names=["tokens"], output_names=["token", "scores"])
    return common.strip(path)


CARD = """
# tiny-transformer

A decoder-only transformer with one block. After `word=` it tells the letters of the word in alphabetical order, each
once, and then a full stop: `glassbox=` is answered by `abglosx.`, one token per run.

| | |
|---|---|
| Source | none: the task is an algorithm, drawn by the script. It was chosen over a text since every answer is right or wrong, so that what integers lose can be counted, and since attention alone can solve it |
| Licence of the model | GPL-3.0-or-later, like the rest of the project |
| Split | {total} prompts of 3 to 8 characters (seed {split_seed}) are held out, each with one place of its answer; no training context has one of these prompts. `test.npz` holds these {total} contexts, `calibration.npz` {calibration} training contexts |
| Training script | `scripts/train/tiny_transformer.py` (seed {seed}) |
| Float held-out accuracy | {right} of {total} next tokens ({accuracy}), and {whole} of {total} whole answers, token by token; measured with onnxruntime on `model.onnx` |
| Margin (score of the right token minus best other) | 1st percentile {p1}, 5th percentile {p5}, median {median}; {close} of {total} contexts lie within 0.5 of a tie |
| Size | {size} |

## Measurement history

One seed and one size were tried. An earlier build held out 1,000 contexts, hit all of them, and was trained again with
{total} so that the project's tests, which prove each of them up to the witness, stay short.

## Input

`tokens`, int64 `[1, 16]`: the last 16 tokens, filled up with token 0 on the left. Every id of the circuit's uint8 input
is provable: those from 30 on count as token 29.

`vocabulary.json` lists the tokens in the order of their ids: 0 is the space that fills up, 1 to 26 are the letters a to
z, 27 is `=`, 28 is `.`, and 29, `?`, stands for anything else, which the answer leaves out. The `.npz` files hold the
contexts as uint8 `x` `[N, 16]` with the next token as int64 label `y`. A prompt has up to 8 characters, so that all of it
is still in sight when the last letter is due.

## Output

`token`, int64 `[1]`: the token that comes next, the one with the highest score (the lowest id among equals).
`scores`, float32 `[1, 30]`: what it was chosen from.

`node scripts/generate.ts <package> glassbox=` runs a compiled package token by token.

## Graph

Token and position embeddings of 32 values; one block of causal attention (2 heads) and a Gelu layer of 64, each on
normalized values and added; a last normalization and a dense layer at the last position.
As PyTorch's exporter (`dynamo=True`) writes it, opset {opset}: {ops}
"""


def main():
    rng = np.random.default_rng(common.SPLIT_SEED)
    held = {}
    while len(held) < HELD_OUT:
        x, y, prompt = sample(rng, held)
        if len(prompt) >= 3:  # shorter ones are too few to be held out
            held[prompt] = (x, y)
    x_test = np.array([x for x, _ in held.values()], np.uint8)
    y_test = np.array([y for _, y in held.values()], np.int64)
    model, (pool_x, pool_y) = train(held)
    folder = common.MODELS / "tiny-transformer"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    ops = export(model, path)
    common.save_npz(folder / "calibration.npz", pool_x[:CALIBRATION].numpy().astype(np.uint8), pool_y[:CALIBRATION].numpy())
    common.save_npz(folder / "test.npz", x_test, y_test)
    (folder / "vocabulary.json").write_text(json.dumps(VOCABULARY) + "\n")

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(tokens):
        token, scores = session.run(["token", "scores"], {"tokens": np.array([tokens], np.int64)})
        return int(token[0]), scores[0]

    scores = np.stack([run(x)[1] for x in x_test])
    m = common.margins(scores, y_test)
    whole = 0
    for prompt in held:
        told, want = [], answer(prompt)
        while len(told) < len(want) and (not told or told[-1] != STOP):
            told.append(run(context_of([*prompt, EQUALS, *told]))[0])
        whole += told == want
    right, total = int((m > 0).sum()), len(m)
    info = {
        "name": "tiny-transformer",
        "title": "A word's letters in order (decoder-only transformer)",
        "input": {"type": "uint8", "range": [0, len(VOCABULARY) - 1]},
        "classes": VOCABULARY,
        "accuracy": {"float": round(right / total, 6), "heldOut": total},
    }
    (folder / "model.json").write_text(json.dumps(info, indent=2) + "\n")
    facts = {
        "ops": " → ".join(ops),
        "opset": OPSET,
        "seed": SEED,
        "split_seed": common.SPLIT_SEED,
        "calibration": CALIBRATION,
        "right": right,
        "total": total,
        "accuracy": f"{100 * right / total:.2f} %",
        "whole": whole,
        "p1": f"{np.percentile(m, 1):.2f}",
        "p5": f"{np.percentile(m, 5):.2f}",
        "median": f"{np.median(m):.2f}",
        "close": int((np.abs(m) < 0.5).sum()),
        "size": f"{path.stat().st_size / 1024:.1f} KiB",
    }
    (folder / "README.md").write_text(CARD.format(**facts).strip() + "\n")
    print(f"{right}/{total} next tokens, {whole}/{total} whole answers; margin p1 {facts['p1']} p5 {facts['p5']} "
          f"median {facts['median']}; {facts['size']}; scores {scores.min():.1f} to {scores.max():.1f}")
    print(" ".join(ops))


if __name__ == "__main__":
    main()
