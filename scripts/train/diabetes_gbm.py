# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains and exports models/diabetes-gbm: gradient boosted trees that predict a number.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/diabetes_gbm.py           # rebuild models/diabetes-gbm
    python scripts/train/diabetes_gbm.py --choose  # how SETTINGS was chosen

Trained by LightGBM, exported by onnxmltools as it comes.
"""

import sys

import lightgbm
import numpy as np
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

import classic
import common

SEED = 0
HELD_OUT = 0.4
# Least error in cross-validation of the training part, of CHOICES.
SETTINGS = dict(n_estimators=100, learning_rate=0.1, num_leaves=4, min_child_samples=10)
CHOICES = [dict(n_estimators=n, learning_rate=rate, num_leaves=leaves, min_child_samples=10)
           for n, rate in ((50, 0.1), (100, 0.05), (100, 0.1)) for leaves in (3, 4, 6, 8)]

CARD = """
# diabetes-gbm

Gradient boosted trees that predict how far a diabetes patient's disease has progressed after a year, from
ten measurements at its beginning. It demonstrates a regression; it is not a medical device and must not be
used for diagnosis or treatment.

| | |
|---|---|
| Source | "Diabetes data" of B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, "Least Angle Regression" (Annals of Statistics, 2004), 442 samples as shipped in scikit-learn (`sklearn.datasets.load_diabetes(scaled=False)`) |
| Licence of the data | published with the article, without a licence of its own; scikit-learn ships it under BSD-3-Clause |
| Licence of the model | GPL-3.0-or-later, like the rest of the project |
| Split | fixed (seed {split_seed}): {train} training, {test} held-out samples. `calibration.npz` holds {calibration} of the training samples, `test.npz` all held-out samples |
| Training script | `scripts/train/diabetes_gbm.py` (seed {seed}; LightGBM, {settings}; chosen by cross-validation within the training samples) |
| Float held-out error | root of the mean square {rmse}, R² {r2}, measured with onnxruntime on `model.onnx` (the mean as answer: {rmse_mean}; linear regression: {rmse_linear}) |
| Trees | {trees}, at most {depth} levels deep, with {inner} comparisons in all |
| Size | {size} |

## Input

`input`, float32 `[batch, 10]`: raw measurements. Feed the values as they are: trees compare them and need no
scaling. The `.npz` files hold them as float32 `x` `[N, 10]` with the targets as int64 `y`.

Preprocessing outside the graph: none.

| # | feature | smallest | largest | mean | standard deviation |
|---|---|---|---|---|---|
{table}

(Smallest and largest over all 442 samples; mean and standard deviation over the training samples. Sex is 1 or 2,
in the data set's own unnamed coding.)

## Output

`variable`, float32 `[batch, 1]`: the data set's measure of progression, 25 to 346 over all samples.

## Graph

{opsets}: {ops}
"""


def train(settings, x, y):
    return lightgbm.LGBMRegressor(**settings, random_state=SEED, deterministic=True, force_row_wise=True,
                                  n_jobs=1, verbose=-1).fit(x, y)


def choose(x, y):
    """Prints, per choice, the error in 5-fold cross-validation of the TRAINING part."""
    folds = list(KFold(5, shuffle=True, random_state=common.SPLIT_SEED).split(x))
    for settings in CHOICES:
        errors = np.concatenate([train(settings, x[fit], y[fit]).predict(x[rest]) - y[rest] for fit, rest in folds])
        print(f"{np.sqrt(np.mean(errors ** 2)):.2f} {settings}")


def main():
    data = load_diabetes(scaled=False)
    x, y = classic.float32(data.data), data.target
    x_train, x_test, y_train, y_test = common.split_plain(x, y, HELD_OUT)
    if "--choose" in sys.argv:
        return choose(x_train, y_train)
    model = train(SETTINGS, x_train, y_train)
    proto = convert_lightgbm(model, initial_types=[("input", FloatTensorType([None, x.shape[1]]))],
                             name="diabetes-gbm")
    linear = LinearRegression().fit(x_train, y_train).predict(x_test)

    def rmse(answers):
        return float(np.sqrt(np.mean((answers - y_test) ** 2)))

    def r2(answers):
        return 1 - rmse(answers) ** 2 / float(np.var(y_test))

    def facts(outputs):
        answers = outputs[0][:, 0]
        return {"seed": SEED, "settings": ", ".join(f"{k} {v}" for k, v in SETTINGS.items()),
                "rmse": f"{rmse(answers):.1f}", "r2": f"{r2(answers):.3f}",
                "rmse_mean": f"{rmse(y_train.mean()):.1f}", "rmse_linear": f"{rmse(linear):.1f}",
                **classic.trees_of(proto)}

    card = CARD.replace("{table}", classic.table_of(data.feature_names, x, x_train.mean(0), x_train.std(0)))
    classic.write_classic(
        proto, name="diabetes-gbm", title="Diabetes progression (gradient boosted trees)", card=card,
        input_range=[float(x.min()), float(x.max())], facts=facts, stratify=False, calibration=200,
        accuracy=lambda outputs: {"rmse": round(rmse(outputs[0][:, 0]), 4)},
        x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


if __name__ == "__main__":
    main()
