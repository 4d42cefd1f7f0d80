# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains and exports models/breast-cancer-mlp: a tabular two-class classifier.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/breast_cancer_mlp.py                # rebuild the model
    python scripts/train/breast_cancer_mlp.py --choose-seed  # how SEED was chosen

It shows a model whose inputs are real measurements on very different scales;
their standardisation is part of the graph, so callers send raw values.
"""

import sys

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

import common

SEED = 4  # highest cross-validation accuracy, then widest margin, of SEEDS
SEEDS = range(8)
HIDDEN = 16, 8
HELD_OUT = 0.4  # 228 samples, so that one sample weighs less than 0.5 percentage points


class BreastCancerMlp(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        first, second = HIDDEN
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.as_tensor(std, dtype=torch.float32))
        self.hidden1 = nn.Linear(30, first)
        self.hidden2 = nn.Linear(first, second)
        self.head = nn.Linear(second, 2)

    def forward(self, x):
        x = (x - self.mean) / self.std
        x = torch.relu(self.hidden1(x))
        x = torch.relu(self.hidden2(x))
        return self.head(x)


def run(x, y, seed):
    mean, std = x.mean(axis=0, dtype="float64"), x.std(axis=0, dtype="float64")
    return common.train(lambda: BreastCancerMlp(mean, std), x, y, seed,
                        epochs=30, lr=3e-3, weight_decay=1e-1, batch=32)


CARD = """
# breast-cancer-mlp

A small fully connected network that tells malignant from benign breast masses by 30 measurements of
cell nuclei. It demonstrates a tabular model; it is not a medical device and must not be used for
diagnosis.

| | |
|---|---|
| Source | "Breast Cancer Wisconsin (Diagnostic)" (W. Wolberg, O. Mangasarian, N. Street, W. Street; UCI Machine Learning Repository, 1995), 569 samples as shipped in scikit-learn (`sklearn.datasets.load_breast_cancer`) |
| Licence of the data | CC BY 4.0 (UCI Machine Learning Repository) |
| Licence of the model | GPL-3.0-or-later, like the rest of the project |
| Split | stratified, fixed (seed {split_seed}): {train} training, {test} held-out samples. `calibration.npz` holds {calibration} of the training samples, `test.npz` all held-out samples. The training seed was chosen by cross-validation within the training samples |
| Training script | `scripts/train/breast_cancer_mlp.py` (seed {seed}) |
| Float held-out accuracy | {right} of {test} ({accuracy}), measured with onnxruntime on `model.onnx` |
| Margin (logit of the label minus best other) | 5th percentile {p5}, median {median}; {close} of {test} samples lie within 0.5 of a tie |
| Size | {size} |

## Measurement history

Two earlier recipes were measured on a smaller held-out part (25 %, 143 samples, same split seed) and
scored 137 (95.80 %) and 136 (95.10 %), where logistic regression reached 97.20 %. The held-out part
was then enlarged to 40 %, so that a single sample weighs less than 0.5 percentage points, and the
recipe and seed were chosen anew by cross-validation within the new training part. Some samples of the
present held-out part were training samples then, and the other way round; the accuracy above is the
first and only measurement of the present recipe.

## Input

`input`, float32 `[batch, {shape}]`: raw measurements taken from a digitised image of a fine needle
aspirate. Ten properties of the cell nuclei, each given as the mean over the nuclei of the image, its
standard error, and the "worst" value (mean of the three largest). Lengths and areas are in the units
of the data set (pixels of the image); the others are ratios without a unit. The scales differ by
five orders of magnitude. Feed the values as they are; standardisation (subtract the training mean,
divide by the training standard deviation) is inside the graph. The `.npz` files hold them as float32
`x` `[N, 30]` with int64 labels `y`.

Preprocessing outside the graph: none.

| # | feature | smallest | largest | mean | standard deviation |
|---|---|---|---|---|---|
{table}

(Smallest and largest over all 569 samples; mean and standard deviation over the training samples.)

## Output

`logits`, float32 `[batch, {outputs}]`; the class is the position of the larger value.
Classes: 0 = malignant, 1 = benign.

## Graph

Opset {opset}: {ops}
"""


def main():
    data = load_breast_cancer()
    x, y = data.data.astype("float32"), data.target.astype("int64")
    x_train, x_test, y_train, y_test = common.split(x, y, HELD_OUT)
    if "--choose-seed" in sys.argv:
        return common.choose_seed(SEEDS, run, x_train, y_train)
    model = run(x_train, y_train, SEED)
    table = "\n".join(
        f"| {i} | {n} | {x[:, i].min():.4g} | {x[:, i].max():.4g} "
        f"| {model.mean[i]:.4g} | {model.std[i]:.4g} |"
        for i, n in enumerate(data.feature_names))
    common.write_model(
        model, name="breast-cancer-mlp", title="Breast cancer diagnosis (MLP)",
        card=CARD.replace("{seed}", str(SEED)).replace("{table}", table),
        input_type="float32", input_range=[float(x.min()), float(x.max())],
        classes=[str(n) for n in data.target_names],
        x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


if __name__ == "__main__":
    main()
