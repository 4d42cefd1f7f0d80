# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic learners as their exporters write them: test/vectors/onnx/ml-*.onnx.

Run (from anywhere, in a Python 3.11 environment with requirements.txt):
    python scripts/train/fixtures_ml.py

Small on purpose. ml-samples.json holds, by model, inputs to run them on; what
they yield is asked of onnxruntime by the tests themselves.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType as Floats
from skl2onnx.common.data_types import Int64TensorType as Ints
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (AdaBoostClassifier, GradientBoostingClassifier, IsolationForest, RandomForestClassifier,
                              RandomForestRegressor)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, Normalizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, OneClassSVM
from xgboost import XGBClassifier, XGBRegressor

FOLDER = Path(__file__).resolve().parents[2] / "test" / "vectors" / "onnx"
SAMPLES = 12
warnings.filterwarnings("ignore")

samples = {}


def write(name, proto, inputs):
    """inputs: by input name, its rows."""
    opsets = sorted({(o.domain, o.version) for o in proto.opset_import})  # their order is a set's
    del proto.opset_import[:]
    proto.opset_import.extend(onnx.helper.make_opsetid(*o) for o in opsets)
    (FOLDER / f"ml-{name}.onnx").write_bytes(proto.SerializeToString(deterministic=True))
    samples[name] = {key: [[float(v) for v in row] for row in rows[:SAMPLES]] for key, rows in inputs.items()}
    print(f"{name}: {(FOLDER / f'ml-{name}.onnx').stat().st_size} bytes")


def sk(name, model, x, y=None, probe=None, **options):
    model = model.fit(x) if y is None else model.fit(x, y)
    write(name, to_onnx(model, x[:1], name=name, **options), {"X": x if probe is None else probe})


def data(load, columns):
    """Some columns and samples, in an order of their own: small files, and inputs of all kinds."""
    x, y = load(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(x))[:160]
    return np.ascontiguousarray(x[order][:, :columns], dtype=np.float32), y[order]


def main():
    b, by = data(load_breast_cancer, 8)
    w, wy = data(load_wine, 8)
    d, dy = data(load_diabetes, 8)
    names = np.array(["barbera", "barolo", "grignolino"])[wy]
    seed = dict(random_state=0)
    sk("forest", RandomForestClassifier(5, max_depth=4, **seed), b, by)
    sk("forest-names", RandomForestClassifier(5, max_depth=3, **seed), w, names)
    sk("forest-labels", RandomForestClassifier(4, max_depth=3, **seed), w, wy * 10 - 5, options={"zipmap": False})
    sk("forest-scaled", make_pipeline(StandardScaler(), RandomForestClassifier(5, max_depth=4, **seed)), b, by)
    sk("forest-regression", RandomForestRegressor(4, max_depth=4, **seed), d, dy)
    sk("forest-two-targets", RandomForestRegressor(4, max_depth=3, **seed), d, np.stack([dy, -dy ** 2 / 100], 1))
    sk("boosting", GradientBoostingClassifier(n_estimators=5, **seed), b, by)
    sk("boosting-three", GradientBoostingClassifier(n_estimators=3, **seed), w, wy)
    sk("isolation", IsolationForest(n_estimators=2, max_samples=16, **seed), b,
       target_opset={"": 17, "ai.onnx.ml": 3})
    sk("adaboost", AdaBoostClassifier(n_estimators=3, **seed), b, by)
    sk("logistic", make_pipeline(StandardScaler(), LogisticRegression()), b, by)
    sk("logistic-three", make_pipeline(StandardScaler(), LogisticRegression()), w, wy)
    sk("logistic-rest", make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())), w, wy,
       options={"zipmap": False})
    sk("normalized", make_pipeline(Normalizer("l2"), LogisticRegression()), w, wy)
    sk("binarized", make_pipeline(StandardScaler(), Binarizer(threshold=0.25), LogisticRegression()), w, wy)
    sk("linear", make_pipeline(StandardScaler(), LinearRegression()), d, dy)
    sk("linear-svc", LinearSVC(**seed), w, wy)
    sk("svc", make_pipeline(StandardScaler(), SVC()), b, by)
    sk("svc-three", make_pipeline(StandardScaler(), SVC()), w, wy)
    sk("svc-poly", make_pipeline(StandardScaler(), SVC(kernel="poly", degree=3, coef0=1.0)), w, names)
    sk("svc-linear", make_pipeline(StandardScaler(), SVC(kernel="linear")), w, wy, options={"zipmap": False})
    sk("svc-probability", make_pipeline(StandardScaler(), SVC(probability=True, **seed)), b, by)
    sk("svr", make_pipeline(StandardScaler(), SVR(C=100)), d, dy)
    sk("svr-sigmoid", make_pipeline(StandardScaler(), SVR(kernel="sigmoid", gamma=0.02, C=100)), d, dy)
    # Samples that it was trained on lie on its border.
    sk("one-class", make_pipeline(StandardScaler(), OneClassSVM(nu=0.2)), b, probe=b * np.float32(1.0625))
    sk("mlp-names", make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=200, **seed)), w, names)

    floats = lambda x: [("input", FloatTensorType([None, x.shape[1]]))]
    for name, model, x, y in (("xgboost", XGBClassifier(n_estimators=4, max_depth=3), b, by),
                              ("xgboost-three", XGBClassifier(n_estimators=2, max_depth=3), w, wy),
                              ("xgboost-regression", XGBRegressor(n_estimators=4, max_depth=3), d, dy)):
        model.set_params(n_jobs=1, random_state=0)
        write(name, convert_xgboost(model.fit(x, y), initial_types=floats(x)), {"input": x})
    for name, model, x, y, more in (("lightgbm", LGBMClassifier(n_estimators=4, num_leaves=6), b, by, {}),
                                    ("lightgbm-three", LGBMClassifier(n_estimators=2, num_leaves=6), w, wy, {"zipmap": False}),
                                    ("lightgbm-regression", LGBMRegressor(n_estimators=4, num_leaves=6), d, dy, {})):
        model.set_params(verbose=-1, n_jobs=1, random_state=0, deterministic=True, force_row_wise=True)
        write(name, convert_lightgbm(model.fit(x, y), initial_types=floats(x), name=name, **more), {"input": x})

    # Columns of several types: integers become categories, reals are filled in and scaled.
    kind = (np.arange(len(w)) * 7 % 4).astype(np.int64)[:, None] * 10
    columns = ColumnTransformer([("kind", OneHotEncoder(handle_unknown="ignore"), [0]),
                                 ("reals", make_pipeline(SimpleImputer(), StandardScaler()), [1, 2, 3])])
    table = np.concatenate([kind.astype(np.float32), w[:, :3]], 1)
    pipe = make_pipeline(columns, RandomForestClassifier(4, max_depth=4, **seed)).fit(table, (wy + kind[:, 0] // 10) % 3)
    proto = to_onnx(pipe, name="columns", options={"zipmap": False},
                    initial_types=[("kind", Ints([None, 1])), ("reals", Floats([None, 3]))])
    write("columns", proto, {"kind": kind, "reals": w[:, :3]})
    text = ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in samples.items())
    (FOLDER / "ml-samples.json").write_text("{\n" + text + "\n}\n")


if __name__ == "__main__":
    main()
