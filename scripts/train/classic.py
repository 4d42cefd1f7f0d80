# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the folder of a model that is exported as ai.onnx.ml (skl2onnx, onnxmltools).

Not run by itself: breast_cancer_forest.py and diabetes_gbm.py import it. It
does for them what common.write_model does for the networks.
"""

import json

import numpy as np
import onnx
import onnxruntime as ort

import common


def write_classic(proto, *, name, title, card, input_range, facts, accuracy, x_train, y_train, x_test, y_test,
                  classes=None, stratify=True, calibration=200):
    """Checks the exported model and writes everything in models/<name>/.

    facts(outputs) and accuracy(outputs) take what onnxruntime yields for the held-out samples and give
    the card's fields and the "accuracy" of model.json.
    """
    folder = common.MODELS / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    opsets = sorted({(o.domain, o.version) for o in proto.opset_import})  # their order is a set's
    del proto.opset_import[:]
    proto.opset_import.extend(onnx.helper.make_opsetid(*o) for o in opsets)
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))

    # Calibration samples come from the training part only.
    pick = common.split if stratify else common.split_plain
    _, x_cal, _, y_cal = pick(x_train, y_train, calibration)
    common.save_npz(folder / "calibration.npz", x_cal, y_cal)
    common.save_npz(folder / "test.npz", x_test, y_test)

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: x_test})
    info = {"name": name, "title": title, "input": {"type": "float32", "range": input_range}}
    if classes is not None:
        info["classes"] = classes
    info["accuracy"] = {**accuracy(outputs), "heldOut": len(y_test)}
    (folder / "model.json").write_text(json.dumps(info, indent=2) + "\n")
    fields = {
        "ops": " → ".join(node.op_type for node in proto.graph.node),
        "opsets": ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in opsets),
        "train": len(y_train),
        "calibration": len(y_cal),
        "test": len(y_test),
        "size": f"{path.stat().st_size / 1024:.1f} KiB",
        "split_seed": common.SPLIT_SEED,
        **facts(outputs),
    }
    (folder / "README.md").write_text(card.format(**fields).strip() + "\n")
    print(name, info["accuracy"], fields["size"])


def table_of(names, x, mean, std):
    return "\n".join(f"| {i} | {n} | {x[:, i].min():.4g} | {x[:, i].max():.4g} | {mean[i]:.4g} | {std[i]:.4g} |"
                     for i, n in enumerate(names))


def trees_of(proto):
    """Trees, inner nodes and greatest depth of the (only) ensemble of an exported model."""
    node = next(n for n in proto.graph.node if n.op_type.startswith("TreeEnsemble"))
    a = {x.name: onnx.helper.get_attribute_value(x) for x in node.attribute}
    ids = list(zip(a["nodes_treeids"], a["nodes_nodeids"]))
    below = dict(zip(ids, zip(a["nodes_modes"], a["nodes_truenodeids"], a["nodes_falsenodeids"])))

    def depth(tree, number):
        mode, yes, no = below[tree, number]
        return 0 if mode == b"LEAF" else 1 + max(depth(tree, yes), depth(tree, no))
    trees = sorted(set(a["nodes_treeids"]))
    inner = sum(mode != b"LEAF" for mode in a["nodes_modes"])
    return {"trees": len(trees), "inner": inner, "depth": max(depth(tree, 0) for tree in trees)}


def float32(x):
    return np.ascontiguousarray(x, dtype=np.float32)
