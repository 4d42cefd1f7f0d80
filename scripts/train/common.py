# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared parts of the example-model training scripts.

Not run by itself: digits_cnn.py, digits_mlp.py and breast_cancer_mlp.py
import it. It holds what the three have in common: the fixed splits, the
training loop, the ONNX export with its checks, and the writing of a model's
folder (model.onnx, calibration.npz, test.npz, model.json, README.md).

Users of Glassbox never run these scripts; the exported models are committed.
"""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split
from torch import nn

MODELS = Path(__file__).resolve().parents[2] / "models"
SPLIT_SEED = 2024  # fixes which samples are held out; shared by all models
OPSET = 17


def seed_everything(seed):
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)


def split(x, y, test_size):
    """A stratified, fixed (train, test) split: x_train, x_test, y_train, y_test."""
    return train_test_split(x, y, test_size=test_size, random_state=SPLIT_SEED, stratify=y)


def split_plain(x, y, test_size):
    """The same for targets that are no classes."""
    return train_test_split(x, y, test_size=test_size, random_state=SPLIT_SEED)


def digits_split():
    """The split both digit models use: raw pixel values 0..16 as uint8 [N,1,8,8]."""
    x, y = load_digits(return_X_y=True)
    return split(x.reshape(-1, 1, 8, 8).astype(np.uint8), y.astype(np.int64), 0.25)


def augment_digits(x, generator):
    """Moves 4 in 10 images by up to one pixel per axis and adds noise to all of them."""
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    out = x.clone()
    moved = (torch.rand(len(x), generator=generator) < 0.4).nonzero().flatten().tolist()
    for i, (dy, dx) in zip(moved, torch.randint(0, 3, (len(moved), 2), generator=generator).tolist()):
        out[i] = padded[i, :, dy:dy + 8, dx:dx + 8]
    return out + 1.5 * torch.randn(x.shape, generator=generator)


def train(build, x, y, seed, *, epochs, lr, weight_decay, batch=64, augment=None):
    """Trains build() with AdamW and a one-cycle schedule; returns it in eval mode."""
    seed_everything(seed)
    generator = torch.Generator().manual_seed(seed)
    model = build()
    x, y = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    steps = len(x) // batch  # no short last batch: it would spoil BatchNorm's statistics
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=lr, epochs=epochs, steps_per_epoch=steps)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for part in order[:steps * batch].split(batch):
            xb = augment(x[part], generator) if augment else x[part]
            loss = nn.functional.cross_entropy(model(xb), y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def logits_of(model, x):
    with torch.no_grad():
        return model(torch.as_tensor(x, dtype=torch.float32)).numpy()


def margins(logits, y):
    """Per sample: the logit of the label minus the best other logit (negative = wrong)."""
    rows = np.arange(len(y))
    others = logits.copy()
    others[rows, y] = -np.inf
    return logits[rows, y] - others.max(axis=1)


def choose_seed(seeds, run, x, y):
    """Prints, per seed, accuracy and margins in 5-fold cross-validation of the TRAINING part.

    The held-out samples take no part in choosing a seed. The caller records
    the choice as its SEED constant; main() runs this only for --choose-seed.
    """
    folds = StratifiedKFold(5, shuffle=True, random_state=SPLIT_SEED)
    for seed in seeds:
        m = np.concatenate([
            margins(logits_of(run(x[fit], y[fit], seed), x[rest]), y[rest])
            for fit, rest in folds.split(x, y)])
        print(f"seed {seed}: accuracy {np.mean(m > 0):.4f} "
              f"margin p5 {np.percentile(m, 5):.2f} median {np.median(m):.2f}")


def save_npz(path, x, y):
    """Like np.savez_compressed, with fixed timestamps so that a rerun is byte-identical."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in (("x", x), ("y", y.astype(np.int64))):
            buffer = BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array))
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, buffer.getvalue(), zipfile.ZIP_DEFLATED)


def export(model, path, input_shape):
    """Writes one self-contained ONNX file with a dynamic "batch" axis and checks it."""
    # PRESERVE on a model in eval mode keeps BatchNormalization as a node of
    # its own (EVAL would fold it into the convolution before it). The classic
    # exporter is used because it writes plain ops with initializers inline.
    torch.onnx.export(
        model, (torch.zeros(1, *input_shape),), str(path), dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, opset_version=OPSET,
        input_names=["input"], output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}})
    return strip(path)


def strip(path):
    """Takes source paths and other traces of the training machine out of a file; yields its ops."""
    model = onnx.load(str(path))
    graph = model.graph
    for node in graph.node:
        node.doc_string = ""
    for part in [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        del part.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return [node.op_type for node in graph.node]


def run_onnx(path, x):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input": x.astype(np.float32)})[0]


def write_model(model, *, name, title, card, input_type, input_range, classes,
                x_train, y_train, x_test, y_test, calibration=200):
    """Exports the model and writes everything in models/<name>/."""
    folder = MODELS / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    shape = x_train.shape[1:]
    ops = export(model, path, shape)

    # Calibration samples come from the training part only.
    _, x_cal, _, y_cal = split(x_train, y_train, calibration)
    save_npz(folder / "calibration.npz", x_cal, y_cal)
    save_npz(folder / "test.npz", x_test, y_test)

    # Accuracy is that of the exported file, not of the PyTorch model.
    logits = run_onnx(path, x_test)
    assert np.allclose(logits, logits_of(model, x_test), rtol=1e-3, atol=1e-3)
    m = margins(logits, y_test)
    right, total = int((m > 0).sum()), len(m)
    info = {
        "name": name,
        "title": title,
        "input": {"type": input_type, "range": input_range},
        "classes": classes,
        "accuracy": {"float": round(right / total, 6), "heldOut": total},
    }
    (folder / "model.json").write_text(json.dumps(info, indent=2) + "\n")
    facts = {
        "ops": " → ".join(ops),
        "opset": OPSET,
        "shape": ", ".join(map(str, shape)),
        "outputs": logits.shape[1],
        "train": len(y_train),
        "calibration": len(y_cal),
        "test": total,
        "right": right,
        "accuracy": f"{100 * right / total:.2f} %",
        "p5": f"{np.percentile(m, 5):.2f}",
        "median": f"{np.median(m):.2f}",
        "close": int((np.abs(m) < 0.5).sum()),
        "size": f"{path.stat().st_size / 1024:.1f} KiB",
        "split_seed": SPLIT_SEED,
    }
    (folder / "README.md").write_text(card.format(**facts).strip() + "\n")
    print(f"{name}: {right}/{total} held-out ({facts['accuracy']}), margin p5 {facts['p5']} "
          f"median {facts['median']}, |margin|<0.5: {facts['close']}, {facts['size']}")
    print("  " + facts["ops"])
