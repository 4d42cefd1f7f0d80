# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes test/vectors/onnx/*.onnx: normalizations and rearranging nets as PyTorch's two exporters write them.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/fixtures_shapes.py

The weights are random (seeded): the tests compare the reader with onnxruntime on the same file.
"""

from pathlib import Path

import torch
from torch import nn
import torch.nn.functional as F

FOLDER = Path(__file__).resolve().parents[2] / "test" / "vectors" / "onnx"


class Norm(nn.Module):
    """Normalizations in the ways that people write them, over [1, 4, 6]."""

    def __init__(self, style):
        super().__init__()
        self.style = style
        self.weight, self.bias = nn.Parameter(torch.randn(6)), nn.Parameter(torch.randn(6))
        self.layer, self.group, self.instance = nn.LayerNorm(6), nn.GroupNorm(2, 4), nn.InstanceNorm1d(4, affine=True)
        self.channels = nn.Parameter(torch.randn(4, 1))
        for module in (self.layer, self.group, self.instance):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)

    def forward(self, x):
        if self.style == "layer":
            return self.layer(x)
        if self.style == "group":
            return self.group(x)
        if self.style == "instance":
            return self.instance(x)
        if self.style == "rms":
            return F.rms_norm(x, (6,), self.weight, 1e-5)
        if self.style == "llama":
            return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))
        if self.style == "divided":
            return x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + 1e-5) * self.weight
        if self.style == "by-hand":
            mean = x.mean(-1, keepdim=True)
            variance = ((x - mean) ** 2).mean(-1, keepdim=True)
            return (x - mean) / torch.sqrt(variance + 1e-5) * self.weight + self.bias
        # Over the channels, as ConvNeXt does for images.
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        return self.channels * ((x - mean) / torch.sqrt(variance + 1e-6))


class Decoder(nn.Module):
    """[1, 2, 6, 6] down and up again, by most of what moves elements."""

    def __init__(self):
        super().__init__()
        self.down, self.mix = nn.Conv2d(2, 8, 3, stride=2, padding=1, padding_mode="reflect"), nn.Conv2d(8, 8, 1)
        self.up, self.last = nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Conv2d(8, 2, 3, padding=1, padding_mode="circular")

    def forward(self, x):
        y = F.relu(self.mix(F.relu(self.down(x))))
        a = self.up(y)
        b = F.pixel_shuffle(F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False), 2)[:, :, 1::2, 1::2]
        c = F.interpolate(y[:, :2], size=(6, 6), mode="nearest")
        whole = torch.cat([a, b, c], dim=1)
        left, right = whole.chunk(2, dim=2)
        return self.last(torch.cat([right.flip(2), left.roll(1, 3)], dim=2))


class Chooser(nn.Module):
    """Tokens [1, 5] to an embedding, its running sums, the two largest features and where they are."""

    def __init__(self):
        super().__init__()
        self.table, self.places = nn.Embedding(7, 4), nn.Embedding(5, 4)
        self.head = nn.Linear(4, 6)

    def forward(self, tokens):
        x = self.table(tokens) + self.places(torch.arange(tokens.shape[1]))
        scores = torch.einsum("btd,bsd->bts", x, x.cumsum(1))
        y = self.head(torch.softmax(scores, dim=-1) @ x).max(dim=1).values
        values, indices = torch.topk(y, 2)
        return values, indices, torch.log_softmax(y, dim=-1).min(dim=-1, keepdim=True).values


def export(name, model, inputs):
    model = model.eval()
    for style in ("dynamo",) if name == "norm-rms" else ("legacy", "dynamo"):  # The old exporter has no rms_norm.
        file = FOLDER / f"{name}-{style}.onnx"
        if style == "legacy":
            torch.onnx.export(model, inputs, file, dynamo=False, opset_version=16, input_names=["x"])
        else:
            torch.onnx.export(model, inputs, file, dynamo=True, opset_version=18, input_names=["x"], external_data=False)
        print(file.name, file.stat().st_size)


def main():
    torch.manual_seed(11)
    FOLDER.mkdir(exist_ok=True)
    for style in ("layer", "group", "instance", "rms", "llama", "divided", "by-hand", "channels"):
        export(f"norm-{style}", Norm(style), (torch.randn(1, 4, 6),))
    export("decoder", Decoder(), (torch.randn(1, 2, 6, 6),))
    export("chooser", Chooser(), (torch.tensor([[1, 5, 0, 6, 2]]),))


if __name__ == "__main__":
    main()
