# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains and exports models/digits-cnn: a small convolutional digit classifier.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/digits_cnn.py                # rebuild models/digits-cnn
    python scripts/train/digits_cnn.py --choose-seed  # how SEED was chosen

The layer sizes are set by the cost of proving: every activation and every
value that enters the max-pool has to be range-checked in the circuit.
"""

import sys

import torch
from torch import nn

import common

SEED = 0  # highest cross-validation accuracy, then widest margin, of SEEDS
SEEDS = range(4)
CHANNELS = 6, 16


class DigitsCnn(nn.Module):
    def __init__(self):
        super().__init__()
        first, second = CHANNELS
        self.conv1 = nn.Conv2d(1, first, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(first)
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(first, second, 3)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(second * 2 * 2, 10)

    def forward(self, x):
        x = x * 0.0625  # raw pixels 0..16 -> 0..1
        x = self.pool(torch.relu(self.norm1(self.conv1(x))))
        x = torch.relu(self.conv2(x))
        return self.head(self.flatten(x))


def run(x, y, seed):
    return common.train(DigitsCnn, x, y, seed, epochs=200, lr=2e-2, weight_decay=2e-2,
                        augment=common.augment_digits)


CARD = """
# digits-cnn

A small convolutional network that reads a handwritten digit from an 8×8 grey image.

| | |
|---|---|
| Source | "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak; UCI Machine Learning Repository, 1998), the 1,797-sample test part as shipped in scikit-learn (`sklearn.datasets.load_digits`) |
| Licence of the data | CC BY 4.0 (UCI Machine Learning Repository) |
| Licence of the model | GPL-3.0-or-later, like the rest of the project |
| Split | stratified, fixed (seed {split_seed}): {train} training, {test} held-out samples. `calibration.npz` holds {calibration} of the training samples, `test.npz` all held-out samples. The training seed was chosen by cross-validation within the training samples |
| Training script | `scripts/train/digits_cnn.py` (seed {seed}) |
| Float held-out accuracy | {right} of {test} ({accuracy}), measured with onnxruntime on `model.onnx` |
| Margin (logit of the label minus best other) | 5th percentile {p5}, median {median}; {close} of {test} samples lie within 0.5 of a tie |
| Size | {size} |

## Measurement history

An earlier recipe scored 437 of 450 (97.11 %) on the same held-out samples. That low figure led to a
defect in training (a last batch of 3 samples spoiled the BatchNorm statistics); it was fixed, and the
learning rate and number of epochs were raised on the strength of cross-validation. So the held-out
samples were looked at twice, and the accuracy above may be slightly optimistic.

## Input

`input`, float32 `[batch, {shape}]`: pixel intensity, whole numbers 0 (background) to 16 (full ink),
row by row from the top left. Each value counts the inked pixels of a 4×4 cell of the original 32×32
scan, so it has no physical unit. Feed the values as they are; the scaling by 1/16 is inside the
graph. The `.npz` files hold them as uint8 `x` `[N, 1, 8, 8]` with int64 labels `y`.

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
        run(x_train, y_train, SEED), name="digits-cnn", title="Handwritten digits (CNN)",
        card=CARD.replace("{seed}", str(SEED)), input_type="uint8", input_range=[0, 16],
        classes=[str(d) for d in range(10)],
        x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


if __name__ == "__main__":
    main()
