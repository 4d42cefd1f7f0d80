# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains and exports models/breast-cancer-forest: a random forest of 100 trees.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/breast_cancer_forest.py

The data set and the split are those of breast_cancer_mlp.py, so the two models
answer the same questions. Exported by skl2onnx as it comes, with its ZipMap.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from skl2onnx import to_onnx

import classic
import common

SEED = 0
TREES = 100
DEPTH = 6
HELD_OUT = 0.4  # 228 samples, as for breast-cancer-mlp

CARD = """
# breast-cancer-forest

A random forest of {trees} trees, at most {depth} levels deep, that tells malignant from benign breast
masses by 30 measurements of cell nuclei. It demonstrates a tree ensemble; it is not a medical device and
must not be used for diagnosis.

| | |
|---|---|
| Source | "Breast Cancer Wisconsin (Diagnostic)" (W. Wolberg, O. Mangasarian, N. Street, W. Street; UCI Machine Learning Repository, 1995), 569 samples as shipped in scikit-learn (`sklearn.datasets.load_breast_cancer`) |
| Licence of the data | CC BY 4.0 (UCI Machine Learning Repository) |
| Licence of the model | GPL-3.0-or-later, like the rest of the project |
| Split | that of breast-cancer-mlp: stratified, fixed (seed {split_seed}): {train} training, {test} held-out samples. `calibration.npz` holds {calibration} of the training samples, `test.npz` all held-out samples |
| Training script | `scripts/train/breast_cancer_forest.py` (seed {seed}; no setting was chosen by any measurement) |
| Float held-out accuracy | {right} of {test} ({percent}), measured with onnxruntime on `model.onnx` |
| Share of trees for the answer | 5th percentile {p5}, median {median}; {close} of {test} samples lie within 0.05 of a tie |
| Trees | {trees}, with {inner} comparisons in all |
| Size | {size} |

## Input

`X`, float32 `[batch, 30]`: raw measurements, in the order of the table of
[breast-cancer-mlp](../breast-cancer-mlp/README.md). Feed the values as they are: trees compare them and need
no scaling. The `.npz` files hold them as float32 `x` `[N, 30]` with int64 labels `y`.

Preprocessing outside the graph: none.

## Output

`output_label`, int64 `[batch]`: 0 = malignant, 1 = benign; and `output_probability`, a ZipMap around the two
classes' shares. The compiler takes the map away: the two scores come out as they are, in this order.

## Graph

{opsets}: {ops}
"""


def main():
    data = load_breast_cancer()
    x, y = classic.float32(data.data), data.target.astype("int64")
    x_train, x_test, y_train, y_test = common.split(x, y, HELD_OUT)
    model = RandomForestClassifier(TREES, max_depth=DEPTH, random_state=SEED, n_jobs=1).fit(x_train, y_train)
    proto = to_onnx(model, x_train[:1], target_opset={"": 17, "ai.onnx.ml": 3}, name="breast-cancer-forest")

    def shares(outputs):
        return [row[int(label)] for row, label in zip(outputs[1], outputs[0])]

    def facts(outputs):
        right = int((outputs[0] == y_test).sum())
        best = sorted(shares(outputs))
        return {"seed": SEED, "right": right, "percent": f"{100 * right / len(y_test):.2f} %",
                "p5": f"{best[len(best) // 20]:.2f}", "median": f"{best[len(best) // 2]:.2f}",
                "close": sum(b < 0.55 for b in best), **classic.trees_of(proto)}

    classic.write_classic(
        proto, name="breast-cancer-forest", title="Breast cancer diagnosis (random forest)", card=CARD,
        input_range=[float(x.min()), float(x.max())], classes=[str(n) for n in data.target_names], facts=facts,
        accuracy=lambda outputs: {"float": round(float((outputs[0] == y_test).mean()), 6)},
        x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


if __name__ == "__main__":
    main()
