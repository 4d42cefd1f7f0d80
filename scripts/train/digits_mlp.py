# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains and exports models/digits-mlp: a one-hidden-layer digit classifier.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/digits_mlp.py                # rebuild models/digits-mlp
    python scripts/train/digits_mlp.py --choose-seed  # how SEED was chosen

Same data, split and raw input as digits_cnn.py, and cheaper to prove.
"""

import sys

import torch
from torch import nn

import common

SEED = 4  # highest cross-validation accuracy, then widest margin, of SEEDS
SEEDS = range(8)
HIDDEN = 48


class DigitsMlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(64, HIDDEN)
        self.head = nn.Linear(HIDDEN, 10)

    def forward(self, x):
        x = self.flatten(x) * 0.0625  # raw pixels 0..16 -> 0..1
        return self.head(torch.relu(self.hidden(x)))


def run(x, y, seed):
    return common.train(DigitsMlp, x, y, seed, epochs=120, lr=1e-2, weight_decay=2e-2,
                        augment=common.augment_digits)


CARD = """
# digits-mlp

A fully connected network with one hidden layer that reads a handwritten digit from an 8×8 grey image.

| | |
|---|---|
| Source | "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak; UCI Machine Learning Repository, 1998), the 1,797-sample test part as shipped in scikit-learn (`sklearn.datasets.load_digits`) |
| Licence of the data | CC BY 4.0 (UCI Machine Learning Repository) |
| Licence of the model | GPL-3.0-or-later, like the rest of the project |
| Split | stratified, fixed (seed {split_seed}), the same as for digits-cnn: {train} training, {test} held-out samples. `calibration.npz` holds {calibration} of the training samples, `test.npz` all held-out samples. The training seed was chosen by cross-validation within the training samples |
| Training script | `scripts/train/digits_mlp.py` (seed {seed}) |
| Float held-out accuracy | {right} of {test} ({accuracy}), measured with onnxruntime on `model.onnx` |
| Margin (logit of the label minus best other) | 5th percentile {p5}, median {median}; {close} of {test} samples lie within 0.5 of a tie |
| Size | {size} |

## Measurement history

An earlier build scored 440 of 450 (97.78 %) on the same held-out samples, before the shared training
loop stopped using a short last batch (a fix prompted by digits-cnn). So the held-out samples were
looked at twice, and the accuracy above may be slightly optimistic.

## Input

`input`, float32 `[batch, {shape}]`: pixel intensity, whole numbers 0 (background) to 16 (full ink),
row by row from the top left. Each value counts the inked pixels of a 4×4 cell of the original 32×32
scan, so it has no physical unit. Feed the values as they are; flattening and the scaling by 1/16
are inside the graph. The `.npz` files hold them as uint8 `x` `[N, 1, 8, 8]` with int64 labels `y`.

Preprocessing outside the graph: none. In training only, four in ten images were shifted by up
to one pixel per axis, and Gaussian noise (standard deviation 1.5) was added to the pixels.

## Output

`logits`, float32 `[batch, {outputs}]`; the class is the position of the largest value.
Classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.

## Graph

Opset {opset}: {ops}
"""


def main():
    x_train, x_test, y_train, y_test = common.digits_split()
    if "--choose-seed" in sys.argv:
        return common.choose_seed(SEEDS, run, x_train, y_train)
    common.write_model(
        run(x_train, y_train, SEED), name="digits-mlp", title="Handwritten digits (MLP)",
        card=CARD.replace("{seed}", str(SEED)), input_type="uint8", input_range=[0, 16],
        classes=[str(d) for d in range(10)],
        x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


if __name__ == "__main__":
    main()
